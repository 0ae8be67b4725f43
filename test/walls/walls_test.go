// Package walls tests which package may import which: the plan of the house.
package walls

import (
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
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

// because is why a room that names a kind of libraries among "never" is built
// without them.
func because(kind string) string {
	return map[string]string{
		kubernetes: "objects of a cluster are read in source, made to plain values in controller, and known nowhere else",
		prometheus: "who counts gives numbers; metrics are made of them where they are registered",
		yaml:       "files of objects are read in source/manifests only",
	}[kind]
}

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

// room is what a package's files may import of ours, why no more, and which
// libraries are in nothing that it is built of.
type room struct {
	imports []string
	why     string
	never   []string
}

// Reasons that more than one room has.
const (
	tool   = "it is a small tool, and knows nothing of the house"
	values = "it is made of plain values and makes plain values, so that it needs no cluster, no HAProxy and no time"
	origin = "a source says what objects there are; what they mean is for the controller"
)

// rooms is the plan, by path below the module. docs/architecture.md shows it.
func rooms() map[string]room {
	pure := []string{kubernetes, prometheus, yaml}
	return map[string]room{
		"conf":           {nil, "it is text for pkg/template", pure},
		"pkg/spelling":   {nil, tool, pure},
		"pkg/timespec":   {nil, tool, pure},
		"pkg/ownaddress": {nil, tool, pure},
		"pkg/pki":        {nil, tool, pure},
		"pkg/given":      {[]string{"pkg/pki"}, tool, pure},

		"pkg/model":       {nil, "all others speak of routes in its words, so it has to know none of them", pure},
		"pkg/httpheader":  {[]string{"pkg/model"}, values, pure},
		"pkg/options":     {[]string{"pkg/model", "pkg/given", "pkg/httpheader", "pkg/spelling", "pkg/timespec"}, "settings are values; who needs them gets them from cmd/router", []string{prometheus}},
		"pkg/defaultcert": {[]string{"pkg/model", "pkg/given", "pkg/pki"}, "files of the administrator's are read, not used", pure},
		"pkg/tlsfiles":    {[]string{"pkg/model", "pkg/given", "pkg/pki", "pkg/defaultcert"}, "files of the administrator's are read, not used", pure},

		"pkg/source":           {nil, origin, nil},
		"pkg/source/kube":      {[]string{"pkg/source"}, origin, nil},
		"pkg/source/dns":       {[]string{"pkg/source"}, origin, nil},
		"pkg/source/manifests": {[]string{"pkg/source", "pkg/spelling"}, origin, nil},

		"pkg/controller/routes":       {[]string{"pkg/source", "pkg/model"}, "a candidate is the same for all that comes after, whatever object it was made of", nil},
		"pkg/controller/admission":    {[]string{"pkg/model", "pkg/pki", "pkg/controller/routes"}, "who owns a host depends on candidates alone, so that each replica decides the same", nil},
		"pkg/controller/translate":    {[]string{"pkg/source", "pkg/model", "pkg/controller/routes", "pkg/httpheader", "pkg/spelling", "pkg/timespec"}, "what a route becomes depends on objects alone, not on what HAProxy has", nil},
		"pkg/controller/certificates": {[]string{"pkg/source", "pkg/controller/routes", "pkg/controller/admission"}, "it reads Secrets for candidates, and decides nothing about routes", nil},
		"pkg/controller/status":       {[]string{"pkg/model"}, "it writes what it is told, and never asks why", nil},
		"pkg/controller": {[]string{"pkg/source", "pkg/model", "pkg/template", "pkg/health", "pkg/controller/routes", "pkg/controller/certificates", "pkg/controller/admission",
			"pkg/controller/translate", "pkg/controller/status"}, "the loop joins the rooms; what HAProxy is and has is behind an interface", nil},

		"pkg/template":         {[]string{"pkg/model", "conf"}, values, pure},
		"pkg/haproxy/runtime":  {nil, "it reads and writes HAProxy's words for whoever asks, and knows no routes", pure},
		"pkg/haproxy/config":   {[]string{"pkg/model", "pkg/pki", "pkg/template", "pkg/haproxy/runtime"}, values, pure},
		"pkg/haproxy/diff":     {[]string{"pkg/model", "pkg/template", "pkg/haproxy/runtime", "pkg/haproxy/config"}, values, pure},
		"pkg/haproxy/live":     {[]string{"pkg/pki", "pkg/template", "pkg/haproxy/runtime", "pkg/haproxy/config", "pkg/haproxy/diff"}, "it carries plans out, and starts and reloads nothing", pure},
		"pkg/haproxy/process":  {[]string{"pkg/model", "pkg/pki", "pkg/haproxy/runtime"}, "it runs an HAProxy with any files, and knows no routes", []string{kubernetes, yaml}},
		"pkg/haproxy/exporter": {[]string{"pkg/model", "pkg/haproxy/runtime"}, "it reads statistics for metrics, and changes nothing", []string{kubernetes, yaml}},
		"pkg/haproxy": {[]string{"pkg/model", "pkg/template", "pkg/haproxy/runtime", "pkg/haproxy/config", "pkg/haproxy/diff", "pkg/haproxy/live", "pkg/haproxy/process"},
			"the data plane gets routes as values, from wherever they come", []string{kubernetes, yaml}},

		"pkg/health": {[]string{"pkg/model"}, "it connects to addresses; what follows from that is for the controller", []string{kubernetes, yaml}},
		"pkg/stats":  {[]string{"pkg/model", "pkg/given"}, "it shows what others know, through interfaces of its own, and cannot change anything", []string{kubernetes, yaml}},
		"pkg/authz":  {[]string{"pkg/stats"}, "it asks the cluster about one request, for pkg/stats, which knows no cluster", nil},
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
			t.Errorf("%s is no room of the plan: say here, and in docs/architecture.md, what it may import and why no more", path)
			continue
		}
		for _, imported := range p.Imports {
			if other, ours := strings.CutPrefix(imported, module); ours && !slices.Contains(r.imports, other) {
				t.Errorf("%s imports %s, but %s", path, other, r.why)
			}
		}
		for _, dep := range p.Deps {
			if kind := kindOf(dep); kind != "" && slices.Contains(r.never, kind) {
				t.Errorf("%s sees %s (%s), but %s", path, kind, dep, because(kind))
			}
		}
	}
	for path := range plan {
		if !seen[path] {
			t.Errorf("the plan has a room %s, which is not there", path)
		}
	}
}

// row is a line of the page's table of rooms.
var row = regexp.MustCompile("(?m)^\\| `((?:conf|pkg)[^`]*)` \\| [^|]+ \\| ([^|]+) \\|$")

// TestThePageShowsThePlan compares the table in docs/architecture.md.
func TestThePageShowsThePlan(t *testing.T) {
	page, err := os.ReadFile(filepath.Join(haproxies.Root(t), "docs", "architecture.md"))
	if err != nil {
		t.Fatal(err)
	}
	plan := rooms()
	for _, m := range row.FindAllStringSubmatch(string(page), -1) {
		path := m[1]
		r, known := plan[path]
		if !known {
			t.Errorf("docs/architecture.md has a room %s twice, or one that the plan does not have", path)
		}
		delete(plan, path)
		var imports []string
		for _, name := range regexp.MustCompile("`([^`]+)`").FindAllStringSubmatch(m[2], -1) {
			imports = append(imports, "pkg/"+strings.TrimPrefix(name[1], "pkg/"))
		}
		slices.Sort(imports)
		want := slices.Sorted(slices.Values(r.imports))
		for i := range want {
			want[i] = "pkg/" + strings.TrimPrefix(want[i], "pkg/")
		}
		slices.Sort(want)
		if !slices.Equal(imports, want) {
			t.Errorf("docs/architecture.md says that %s may import %q, and the plan %q", path, imports, want)
		}
	}
	for path := range plan {
		t.Errorf("docs/architecture.md does not have the room %s", path)
	}
}
