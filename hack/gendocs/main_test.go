package main

import (
	"os"
	"path/filepath"
	"testing"
)

func TestThePagesAreFresh(t *testing.T) {
	dir := t.TempDir()
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	pages, err := os.ReadDir(dir)
	if err != nil || len(pages) == 0 {
		t.Fatalf("%d pages, %v", len(pages), err)
	}
	for _, page := range pages {
		made, err := os.ReadFile(filepath.Join(dir, page.Name()))
		if err != nil {
			t.Fatal(err)
		}
		have, err := os.ReadFile(filepath.Join("..", "..", "docs", page.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if string(have) != string(made) {
			t.Errorf("docs/%s is not what the code says; run make generate", page.Name())
		}
	}
}
