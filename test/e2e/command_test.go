package e2e

import (
	"os"
	"os/exec"
	"testing"
)

// run runs the program to its end, with variables of the form NAME=VALUE.
func run(t *testing.T, variable string, args ...string) (string, error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...) //nolint:gosec // our own program
	cmd.Env = append(os.Environ(), variable)
	out, err := cmd.CombinedOutput()
	return string(out), err
}
