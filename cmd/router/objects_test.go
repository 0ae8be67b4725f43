package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestTheRoutersOwnNamespace(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "namespace")
	if err := os.WriteFile(file, []byte("routers\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, variable, file, want string }{
		{"the variable comes first", "ingress", file, "ingress"},
		{"the service account's", "", file, "routers"},
		{"outside of a cluster", "", filepath.Join(dir, "none"), ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("POD_NAMESPACE", tt.variable)
			if got, err := ownNamespace(tt.file); err != nil || got != tt.want {
				t.Errorf("namespace is %q, %v, want %q", got, err, tt.want)
			}
		})
	}
	t.Setenv("POD_NAMESPACE", "")
	if got, err := ownNamespace(dir); err == nil {
		t.Errorf("a directory is the namespace %q", got)
	}
}
