package manifests

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	corev1 "k8s.io/api/core/v1"

	"router/pkg/source"
)

func TestDecodingNamesFileAndLine(t *testing.T) {
	tests := []struct {
		name, content string
		objects       int
		problem       string // a line as Problem.String gives it, "" for none
	}{
		{"a good object", "kind: Service\napiVersion: v1\nmetadata: {name: a}\n", 1, ""},
		{"an unknown field", "kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec:\n  prots: []\n", 0,
			`f.yaml:5: Service default/a: unknown field "spec.prots"`},
		{"an unknown field in a list", "kind: Service\napiVersion: v1\nmetadata: {name: a}\nspec:\n  ports:\n  - port: 1\n  - port: 2\n    prot: x\n", 0,
			`f.yaml:8: Service default/a: unknown field "spec.ports[1].prot"`},
		{"a wrong type", "kind: Service\napiVersion: v1\nmetadata:\n  name: a\n  annotations:\n    x: true\n", 0, `f.yaml:`},
		{"a field given twice", "kind: Service\napiVersion: v1\nmetadata:\n  name: a\n  name: b\n", 0,
			`f.yaml:5: Service default/a: field "metadata.name" is given twice`},
		{"an object beside a broken one", "a: [\n---\nkind: Service\napiVersion: v1\nmetadata: {name: a}\n", 1, "f.yaml:"},
		{"an object behind a separator", "kind: Service\napiVersion: v1\nmetadata: {name: a}\n---\n\nkind: Service\napiVersion: v1\nmetadata: {name: b}\nspec: {x: 1}\n", 1,
			`f.yaml:9: Service default/b: unknown field "spec.x"`},
		{"a list", "kind: List\napiVersion: v1\nitems:\n- {kind: Service, apiVersion: v1, metadata: {name: a}}\n- {kind: Service, apiVersion: v1, metadata: {name: b}}\n", 2, ""},
		{"a typed list", "kind: ServiceList\napiVersion: v1\nitems:\n- metadata: {name: a}\n", 1, ""},
		{"JSON", `{"kind":"Service","apiVersion":"v1","metadata":{"name":"a"}}`, 1, ""},
		{"a kind that is not read", "kind: Pod\napiVersion: v1\nmetadata: {name: a}\n", 0,
			`f.yaml:1: Pod: kind "Pod" of apiVersion "v1" is not one that the router reads`},
		{"no name", "kind: Service\napiVersion: v1\n", 0, "f.yaml:1: Service: metadata.name is missing"},
		{"the old form of a route", "kind: Route\napiVersion: v1\nmetadata: {name: a}\nspec: {to: {name: s}}\n", 1, ""},
		{"comments only", "# nothing\n---\n# nothing\n", 0, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			d := decodeFile("f.yaml", []byte(tt.content))
			if len(d.objects) != tt.objects {
				t.Errorf("%d objects, want %d", len(d.objects), tt.objects)
			}
			var all []string
			for _, p := range d.problems {
				all = append(all, p.String())
			}
			got := strings.Join(all, "\n")
			if tt.problem == "" && got != "" || !strings.Contains(got, tt.problem) {
				t.Errorf("problems:\n%s\nwant %q", got, tt.problem)
			}
		})
	}
}

func TestDefaultsAreThoseOfAnAPIServer(t *testing.T) {
	d := decodeFile("f.yaml", []byte("kind: Route\napiVersion: v1\nmetadata: {name: a}\nspec: {to: {name: s}, alternateBackends: [{name: b, weight: 0}]}\n"))
	r := d.objects[0].value.(*routev1.Route)
	if r.Spec.To.Kind != "Service" || *r.Spec.To.Weight != 100 || *r.Spec.AlternateBackends[0].Weight != 0 || r.Spec.WildcardPolicy != "None" || r.Namespace != "default" || r.UID == "" {
		t.Errorf("route is %+v", r)
	}
	d = decodeFile("f.yaml", []byte("kind: Secret\napiVersion: v1\nmetadata: {name: a}\nstringData: {k: v}\n"))
	if s := d.objects[0].value.(*corev1.Secret); string(s.Data["k"]) != "v" {
		t.Errorf("secret is %+v", s.Data)
	}
}

func FuzzDecodeFile(f *testing.F) {
	const good = "\n---\nkind: Service\napiVersion: v1\nmetadata: {name: good}\n"
	for _, seed := range []string{"a: [", "kind: List\nitems: 3", "- 1", "--- x", "kind: Route\napiVersion: v1\nmetadata: {name: [}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found := false
		for _, o := range decodeFile("f.yaml", []byte(text+good)).objects {
			found = found || o.key.Name == "good"
		}
		if !found {
			t.Errorf("a good document is lost behind %q", text)
		}
	})
}

type follower struct {
	t     *testing.T
	queue *source.Queue
	dir   string
}

func (f follower) write(name, content string) {
	f.t.Helper()
	if err := os.WriteFile(filepath.Join(f.dir, name), []byte(content), 0o600); err != nil {
		f.t.Fatal(err)
	}
}

// next waits for changes and returns them as "name" or "-name" for deletions.
func (f follower) next() string {
	f.t.Helper()
	deadline := time.After(10 * time.Second)
	for {
		var names []string
		for _, c := range f.queue.Drain().Changes {
			name := c.Key.Name
			if c.Object == nil {
				name = "-" + name
			}
			names = append(names, name)
		}
		if len(names) > 0 {
			return strings.Join(names, " ")
		}
		select {
		case <-f.queue.Ready():
		case <-deadline:
			f.t.Fatal("no change arrives")
		}
	}
}

func service(name, extra string) string {
	return "kind: Service\napiVersion: v1\nmetadata: {name: " + name + "}\n" + extra
}

func TestEditsAreFollowed(t *testing.T) {
	f := follower{t, source.NewQueue(time.Now), t.TempDir()}
	f.write("a.yaml", service("a", ""))
	s, err := New(Options{Dir: f.dir, Queue: f.queue, Logger: slog.New(slog.NewTextHandler(t.Output(), nil))})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Run(ctx) }()
	if got := f.next(); got != "a" {
		t.Fatalf("at first %q", got)
	}

	f.write("b.yaml", service("b", ""))
	if got := f.next(); got != "b" {
		t.Errorf("a new file gives %q", got)
	}
	if err := os.Mkdir(filepath.Join(f.dir, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.write("sub/c.yaml", service("c", ""))
	if got := f.next(); got != "c" {
		t.Errorf("a file in a new directory gives %q", got)
	}
	// An edit that breaks a file keeps what it had; the next good one counts.
	f.write("b.yaml", service("b", "spec: {x: 1}\n")+"---\n"+service("b2", ""))
	if got := f.next(); got != "b2" {
		t.Errorf("a half-broken file gives %q", got)
	}
	if p := s.Problems(); len(p) != 1 || p[0].Object != "Service default/b" || p[0].Line != 4 {
		t.Errorf("problems are %v", p)
	}
	f.write("b.yaml", service("b", "spec: {clusterIP: None}\n"))
	if got := f.next(); got != "b -b2" {
		t.Errorf("the mended file gives %q", got)
	}
	if err := os.Rename(filepath.Join(f.dir, "a.yaml"), filepath.Join(f.dir, "a.txt")); err != nil {
		t.Fatal(err)
	}
	if got := f.next(); got != "-a" {
		t.Errorf("a file that is gone gives %q", got)
	}
	cancel()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func TestTheFirstOfTwoDefinitionsIsUsed(t *testing.T) {
	f := follower{t, source.NewQueue(time.Now), t.TempDir()}
	f.write("a.yaml", service("a", "spec: {clusterIP: 10.0.0.1}\n"))
	f.write("b.yaml", service("a", "spec: {clusterIP: 10.0.0.2}\n"))
	s, err := New(Options{Dir: f.dir, Queue: f.queue, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	go func() { _ = s.Run(ctx) }()
	<-f.queue.Ready()
	changes := f.queue.Drain().Changes
	if len(changes) != 1 || changes[0].Object.(*corev1.Service).Spec.ClusterIP != "10.0.0.1" {
		t.Errorf("changes are %+v", changes)
	}
	for deadline := time.Now().Add(5 * time.Second); len(s.Problems()) == 0 && time.Now().Before(deadline); {
		<-f.queue.Ready()
	}
	if p := s.Problems(); len(p) != 1 || !strings.Contains(p[0].Message, "a.yaml:1") {
		t.Errorf("problems are %v", p)
	}
}

func TestAMissingDirectoryIsAnErrorOfTheFlag(t *testing.T) {
	_, err := New(Options{Dir: filepath.Join(t.TempDir(), "nope")})
	if err == nil || !strings.Contains(err.Error(), "--manifests") {
		t.Errorf("error is %v", err)
	}
}
