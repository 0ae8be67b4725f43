package options

import (
	"os"
	"testing"
)

func TestTheDocumentIsFresh(t *testing.T) {
	have, err := os.ReadFile("../../docs/options.md")
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != Document() {
		t.Error("docs/options.md is not what the table says; run make generate")
	}
}
