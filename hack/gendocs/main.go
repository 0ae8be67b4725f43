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
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// run writes the pages into a directory.
func run(dir string) error {
	metrics, err := metricsPage()
	if err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	for name, text := range map[string]string{"options.md": options.Document(), "annotations.md": translate.Document(), "metrics.md": metrics} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // a page for everybody
			return err
		}
	}
	return nil
}
