package options

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"router/test/certs"
	"router/test/haproxies"
	"router/test/routertest"
)

// A template of OpenShift's router is refused in the words that the page about
// differences has.
func TestTemplatesOfOpenShiftsRouter(t *testing.T) {
	t.Parallel()
	text := "{{- define \"/var/lib/haproxy/conf/haproxy.config\" }}\n{{- $dir := .WorkingDir }}\nglobal\n  maxconn {{env \"ROUTER_MAX_CONNECTIONS\" \"50000\"}}\n{{- end }}\n"
	file := write(t, filepath.Join(t.TempDir(), "haproxy-config.template"), text)
	said := routertest.Refused(t, options(haproxies.All(t)[0].Path, t.TempDir(), "--template", file))
	const words = `error: --template: template: haproxy-config.template:4: function "env" not defined`
	if !strings.Contains(said, words) || !strings.Contains(page(t), words) {
		t.Errorf("the router says %s", said)
	}
}

func page(t *testing.T) string {
	t.Helper()
	return string(must[[]byte](t)(os.ReadFile(filepath.Join(haproxies.Root(t), "docs", "differences.md"))))
}

var (
	fileRow  = regexp.MustCompile("(?m)^\\| (`(?:conf|router|run)/.*) \\| (.*) \\|$")
	fileName = regexp.MustCompile("`((?:conf|router|run)/[^`]+)`")
)

// The files that the page about differences names are where it says.
func TestFilesAreWhereTheyAreDocumented(t *testing.T) {
	t.Parallel()
	cert := must[certs.Pair](t)(authority(t, "servers").Issue("own.test"))
	r := start(t, haproxies.All(t)[0].Path, directory(t, serve(t, "app", nil), route("own", "app", withCertificate(cert))))
	found := 0
	look := func(names string) {
		for _, m := range fileName.FindAllStringSubmatch(names, -1) {
			file := strings.Replace(m[1], "NAMESPACE+NAME", "default+own", 1)
			found++
			if _, err := os.Stat(filepath.Join(r.Dir, file)); err != nil {
				t.Error(err)
			}
		}
	}
	for _, row := range fileRow.FindAllStringSubmatch(page(t), -1) {
		if strings.Contains(row[2], "the same name") {
			look(row[1])
		}
		look(row[2])
	}
	if found < 15 {
		t.Errorf("%d files are named", found)
	}
}
