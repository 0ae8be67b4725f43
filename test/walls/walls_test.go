// Package walls tests which package may import which: the plan of the house.
package walls

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"router/test/haproxies"
)

// module is the name of ours, with the slash behind it.
const module = "router/"

// The kinds of libraries that walls are about.
const (
	kubernetes = "Kubernetes"
	prometheus = "Prometheus"
	yaml       = "YAML"
)

// kindOf says to which kind a library's package belongs, "" for any other.
func kindOf(path string) string {
	for prefix, kind := range map[string]string{
		"k8s.io/": kubernetes, "sigs.k8s.io/": kubernetes, "github.com/openshift/": kubernetes,
		"github.com/prometheus/": prometheus, "go.yaml.in/": yaml, "gopkg.in/yaml": yaml,
	} {
		if strings.HasPrefix(path, prefix) {
			return kind
		}
	}
	return ""
}

// room is what a package's files may import of ours, and which libraries are in
// nothing that it is built of.
type room struct {
	imports []string
	never   []string
}

// rooms is the plan, by path below the module.
func rooms() map[string]room {
	quiet := []string{kubernetes, prometheus, yaml}
	return map[string]room{
		// Small tools that know nothing of the house.
		"conf":         {never: quiet},
		"pkg/spelling": {never: quiet}, "pkg/timespec": {never: quiet},
		"pkg/ownaddress": {never: quiet}, "pkg/pki": {never: quiet},

		"pkg/given": {imports: []string{"pkg/pki"}, never: quiet},

		"pkg/model":           {never: quiet},
		"pkg/httpheader":      {imports: []string{"pkg/model"}, never: quiet},
		"pkg/defaultcert":     {imports: []string{"pkg/model", "pkg/given", "pkg/pki"}, never: quiet},
		"pkg/tlsfiles":        {imports: []string{"pkg/model", "pkg/given", "pkg/pki", "pkg/defaultcert"}, never: quiet},
		"pkg/options":         {imports: []string{"pkg/model", "pkg/given", "pkg/httpheader", "pkg/spelling", "pkg/timespec"}, never: []string{prometheus}},
		"pkg/template":        {imports: []string{"pkg/model", "conf"}, never: quiet},
		"pkg/haproxy/runtime": {never: quiet},
		"pkg/haproxy/config":  {imports: []string{"pkg/model", "pkg/pki", "pkg/template", "pkg/haproxy/runtime"}, never: quiet},
		"pkg/haproxy/diff":    {imports: []string{"pkg/model", "pkg/template", "pkg/haproxy/runtime", "pkg/haproxy/config"}, never: quiet},
		"pkg/haproxy/live":    {imports: []string{"pkg/pki", "pkg/template", "pkg/haproxy/runtime", "pkg/haproxy/config", "pkg/haproxy/diff"}, never: quiet},
		"pkg/haproxy/process": {imports: []string{"pkg/model", "pkg/pki", "pkg/haproxy/runtime"}, never: []string{kubernetes, yaml}},
		"pkg/haproxy": {imports: []string{"pkg/model", "pkg/template", "pkg/haproxy/runtime", "pkg/haproxy/config", "pkg/haproxy/diff",
			"pkg/haproxy/live", "pkg/haproxy/process"}, never: []string{kubernetes}},
		"pkg/health": {imports: []string{"pkg/model"}, never: []string{kubernetes}},
		"pkg/stats":  {imports: []string{"pkg/model", "pkg/given", "pkg/haproxy"}, never: []string{kubernetes}},
		"pkg/authz":  {imports: []string{"pkg/stats"}},

		"pkg/source":           {},
		"pkg/source/kube":      {imports: []string{"pkg/source"}},
		"pkg/source/dns":       {imports: []string{"pkg/source"}},
		"pkg/source/manifests": {imports: []string{"pkg/source", "pkg/spelling"}},

		"pkg/controller/routes":       {imports: []string{"pkg/source", "pkg/model"}},
		"pkg/controller/admission":    {imports: []string{"pkg/model", "pkg/pki", "pkg/controller/routes"}},
		"pkg/controller/translate":    {imports: []string{"pkg/source", "pkg/model", "pkg/controller/routes", "pkg/httpheader", "pkg/spelling", "pkg/timespec"}},
		"pkg/controller/certificates": {imports: []string{"pkg/source", "pkg/controller/routes", "pkg/controller/admission"}},
		"pkg/controller/status":       {imports: []string{"pkg/source", "pkg/model"}},
		"pkg/controller":              {imports: []string{"pkg/source", "pkg/model", "pkg/template", "pkg/health", "pkg/controller/routes", "pkg/controller/certificates", "pkg/controller/admission", "pkg/controller/translate", "pkg/controller/status"}},
	}
}

// wiring may import everything.
func wiring(path string) bool {
	return strings.HasPrefix(path, "cmd/") || strings.HasPrefix(path, "hack/") || strings.HasPrefix(path, "test/") || path == "deploy"
}

// listed is what "go list" says of a package.
type listed struct {
	ImportPath    string
	Imports, Deps []string
}

// look reads the directories of the module. The test's result is kept until
// what it has read is different; what "go list" reads does not count.
func look(t *testing.T) {
	t.Helper()
	for _, top := range []string{"cmd", "conf", "pkg"} {
		if err := filepath.WalkDir(filepath.Join(haproxies.Root(t), top), func(_ string, _ fs.DirEntry, err error) error { return err }); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWalls(t *testing.T) {
	look(t)
	out, err := exec.Command("go", "list", "-deps", "-json=ImportPath,Imports,Deps", module+"...").Output()
	if err != nil {
		t.Fatal(err)
	}
	plan, seen := rooms(), map[string]bool{}
	decoder := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		path, ours := strings.CutPrefix(p.ImportPath, module)
		if !ours || wiring(path) {
			continue
		}
		seen[path] = true
		r, known := plan[path]
		if !known {
			t.Errorf("%s is no room of the plan", path)
			continue
		}
		for _, imported := range p.Imports {
			if other, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(r.imports, other) {
				t.Errorf("%s imports %s", path, other)
			}
		}
		for _, dep := range p.Deps {
			if kind := kindOf(dep); kind != "" && slices.Contains(r.never, kind) {
				t.Errorf("%s sees %s (%s)", path, kind, dep)
			}
		}
	}
	for path := range plan {
		if !seen[path] {
			t.Errorf("the plan has a room %s, which is not there", path)
		}
	}
}
