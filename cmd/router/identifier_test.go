package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheIdentifierIsKept(t *testing.T) {
	path := filepath.Join(t.TempDir(), "router", "identifier")
	get := func() string {
		t.Helper()
		id, err := identifier(path)
		if err != nil || !isIdentifier(id) {
			t.Fatalf("the identifier is %q, %v", id, err)
		}
		return id
	}
	made := get()
	if again := get(); again != made {
		t.Errorf("after a restart %q is %q", made, again)
	}
	for _, damaged := range []string{"", "A", "%[src]" + made, made + "\n" + made} {
		if err := os.WriteFile(path, []byte(damaged), 0o600); err != nil {
			t.Fatal(err)
		}
		if now := get(); now == damaged || now == made {
			t.Errorf("of %q becomes %q", damaged, now)
		}
	}
	if _, err := identifier(filepath.Join(path, "below-a-file")); err == nil {
		t.Error("what cannot be kept is no error")
	}
}
