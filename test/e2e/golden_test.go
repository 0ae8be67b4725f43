package e2e

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"router/test/haproxies"
	"router/test/routertest"
)

var update = flag.Bool("update", false, "write the golden files anew")

// goldenDir has a directory for each case: in.yaml, and next to it the files
// that HAProxy is to get for it.
const goldenDir = "testdata/golden"

// wholeCase is the case whose configuration is kept whole; of the others only
// what belongs to routes is.
const wholeCase = "frame"

// TestGolden compares HAProxy's files with those that are kept, so that a
// change of behaviour is seen as a difference, and has every HAProxy check
// them; routertest has another parser read them besides. They are made for the newest one: older ones have slots for servers
// besides.
func TestGolden(t *testing.T) {
	t.Parallel()
	binaries := haproxies.All(t)
	cases, err := os.ReadDir(goldenDir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range cases {
		t.Run(c.Name(), func(t *testing.T) {
			t.Parallel()
			dir := filepath.Join(goldenDir, c.Name())
			in, err := os.ReadFile(filepath.Join(dir, "in.yaml"))
			if err != nil {
				t.Fatal(err)
			}
			d := newDirectory(t)
			d.write("in.yaml", string(in))
			r := start(t, binaries[len(binaries)-1].Path, "--manifests", d.dir, "--allow-wildcard-routes", "--http-header-name-case-adjustments", "X-Case")
			if strings.Contains(r.Stderr.String(), "line=") {
				t.Fatalf("in.yaml is wrong:\n%s", r.Stderr)
			}
			for _, b := range binaries {
				if out, err := exec.Command(b.Path, "-c", "-f", filepath.Join(r.Dir, "conf", "haproxy.config")).CombinedOutput(); err != nil { //nolint:gosec // the binaries of tests
					t.Errorf("%s: %v: %s", b.Name, err, out)
				}
			}
			got := r.files(t, c.Name() == wholeCase)
			if *update {
				writeGolden(t, dir, got)
			}
			want := readGolden(t, dir)
			for _, name := range slices.Sorted(maps.Keys(got)) {
				if got[name] != want[name] {
					t.Errorf("%s differs; go test ./test/e2e -run Golden -update writes it anew\n%s", name, firstDifference(want[name], got[name]))
				}
				delete(want, name)
			}
			for name := range want {
				t.Errorf("%s is not made any more", name)
			}
		})
	}
}

// files are HAProxy's files that are not empty, with stand-ins for what is
// different each time.
func (r *router) files(t *testing.T, whole bool) map[string]string {
	t.Helper()
	identifier, err := os.ReadFile(filepath.Join(r.Dir, "router", "identifier"))
	if err != nil {
		t.Fatal(err)
	}
	stand := strings.NewReplacer(strings.TrimSpace(string(identifier)), "IDENTIFIER", r.Dir, "DIR", routertest.Port(r.HTTP), "HTTP", routertest.Port(r.HTTPS), "HTTPS")
	files := map[string]string{}
	for _, pattern := range []string{"conf/haproxy.config", "conf/*.map", "conf/certs.list", "router/allowlists/*"} {
		paths, err := filepath.Glob(filepath.Join(r.Dir, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if len(text) > 0 {
				files[filepath.Base(path)] = stand.Replace(string(text))
			}
		}
	}
	files["haproxy.config"] = ofRoutes(files["haproxy.config"], whole)
	return files
}

// sectionStart is the first line of a section: its kind and name.
var sectionStart = regexp.MustCompile(`(?m)^(\S+) (\S+).*\n`)

// sharedSettings is the name of a section of defaults that routes with the
// same settings share: that of their profile, and a digest.
var sharedSettings = regexp.MustCompile(`^(route-.*)-[0-9a-f]{12}$`)

// ofRoutes leaves out what is not about routes, unless the whole is wanted:
// of shared settings, the lines of their profile. Spare backends say nothing.
func ofRoutes(config string, whole bool) string {
	var b strings.Builder
	profiles := map[string]string{}
	starts := sectionStart.FindAllStringSubmatchIndex(config, -1)
	for i, at := range starts {
		end := len(config)
		if i+1 < len(starts) {
			end = starts[i+1][0]
		}
		section, kind, name := config[at[0]:end], config[at[2]:at[3]], config[at[4]:at[5]]
		shared := sharedSettings.FindStringSubmatch(name)
		if kind == "defaults" && shared == nil {
			profiles[name] = section
		}
		switch {
		case strings.Contains(name, ":_spare:"):
		case whole, kind == "backend" && strings.HasPrefix(name, "be_") && name != "be_sni":
			b.WriteString(section)
		case kind == "defaults" && shared != nil:
			for line := range strings.Lines(section) {
				if !strings.Contains(profiles[shared[1]], line) {
					b.WriteString(line)
				}
			}
		}
	}
	return b.String()
}

func readGolden(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, e := range entries {
		if e.Name() == "in.yaml" {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		files[e.Name()] = string(text)
	}
	return files
}

func writeGolden(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name := range readGolden(t, dir) {
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil { //nolint:gosec // for everybody to read
			t.Fatal(err)
		}
	}
}

func firstDifference(want, got string) string {
	a, b := strings.Split(want, "\n"), strings.Split(got, "\n")
	i := 0
	for i < len(a) && i < len(b) && a[i] == b[i] {
		i++
	}
	line := func(lines []string) string {
		if i < len(lines) {
			return lines[i]
		}
		return "nothing"
	}
	return fmt.Sprintf("line %d\nwant %s\ngot  %s", i+1, line(a), line(b))
}
