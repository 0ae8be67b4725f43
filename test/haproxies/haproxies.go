// Package haproxies knows the HAProxy binaries that tests run on: the floor,
// from the distribution, and the one that the image ships.
package haproxies

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"
)

// Binary is an HAProxy to test on.
type Binary struct {
	// Name is for subtests, such as "haproxy-2.6".
	Name string
	Path string
}

// variable names other binaries, separated by colons.
const variable = "ROUTER_TEST_HAPROXY"

var version = regexp.MustCompile(`version (\d+\.\d+)`)

// All returns the binaries to test on. One that is missing is an error of the
// test: "make test-deps" brings both.
func All(t testing.TB) []Binary {
	t.Helper()
	paths := []string{"haproxy", filepath.Join(root(t), "build", "haproxy-3.2", "haproxy")}
	if named := os.Getenv(variable); named != "" {
		paths = strings.Split(named, ":")
	}
	var list []Binary
	for _, p := range paths {
		list = append(list, binary(t, p))
	}
	return list
}

// binary asks a binary for its version.
func binary(t testing.TB, path string) Binary {
	t.Helper()
	out, err := exec.Command(path, "-v").Output() //nolint:gosec // the tester's choice
	m := version.FindSubmatch(out)
	if err != nil || m == nil {
		t.Fatalf("cannot run %s (%v); \"make test-deps\" brings it", path, err)
	}
	return Binary{Name: "haproxy-" + string(m[1]), Path: path}
}

// Each runs a test on every binary.
func Each(t *testing.T, test func(t *testing.T, binary string)) {
	t.Helper()
	for _, b := range All(t) {
		t.Run(b.Name, func(t *testing.T) { test(t, b.Path) })
	}
}

// EachAtOnce is Each for a test that mostly waits: it runs beside other tests,
// and on all binaries at the same time. What is shared by them has to end by
// t.Cleanup.
func EachAtOnce(t *testing.T, test func(t *testing.T, binary string)) {
	t.Helper()
	t.Parallel()
	Each(t, func(t *testing.T, binary string) {
		t.Parallel()
		test(t, binary)
	})
}

// newer are binaries beyond those that everything is tested on, which may be
// missing: they do what no older one can.
func newer(t testing.TB) []string {
	t.Helper()
	path := filepath.Join(root(t), "build", "haproxy-3.4", "haproxy")
	if _, err := os.Stat(path); err != nil || os.Getenv(variable) != "" {
		return nil
	}
	return []string{path}
}

// EachAndNewer runs a test on every binary and on newer ones, for what the
// newer ones do in another way. "make test-deps" says if there are none.
func EachAndNewer(t *testing.T, test func(t *testing.T, binary string)) {
	t.Helper()
	Each(t, test)
	for _, path := range newer(t) {
		b := binary(t, path)
		t.Run(b.Name, func(t *testing.T) { test(t, b.Path) })
	}
}

// EachAndNewerAtOnce is EachAndNewer as EachAtOnce is Each.
func EachAndNewerAtOnce(t *testing.T, test func(t *testing.T, binary string)) {
	t.Helper()
	t.Parallel()
	EachAndNewer(t, func(t *testing.T, binary string) {
		t.Parallel()
		test(t, binary)
	})
}

// root is the directory of the project.
func root(t testing.TB) string {
	t.Helper()
	_, file, _, ok := runtime.Caller(0)
	if !ok {
		t.Fatal("where am I?")
	}
	return filepath.Dir(filepath.Dir(filepath.Dir(file)))
}

// Root is the directory of the project, for tests that need its other files.
func Root(t testing.TB) string { return root(t) }
