// Gendocs writes the pages of docs that come from tables in the code.
package main

import (
	"fmt"
	"os"
	"path/filepath"

	"router/pkg/controller/translate"
	"router/pkg/options"
)

func main() {
	for name, text := range map[string]string{"options.md": options.Document(), "annotations.md": translate.Document()} {
		if err := os.WriteFile(filepath.Join(os.Args[1], name), []byte(text), 0o644); err != nil { //nolint:gosec // a page for everybody
			fmt.Fprintln(os.Stderr, "error:", err)
			os.Exit(1)
		}
	}
}
