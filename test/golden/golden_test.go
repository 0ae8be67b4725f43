// Package golden runs the whole way from objects to files in memory, without
// HAProxy, root or a network, and compares what comes out with what is kept: a
// change of behaviour is seen as a difference.
package golden

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	routev1 "github.com/openshift/api/route/v1"
	"golang.org/x/tools/txtar"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/kubernetes/scheme"
	"sigs.k8s.io/yaml"

	"router/conf"
	"router/pkg/controller"
	"router/pkg/controller/admission"
	"router/pkg/controller/routes"
	"router/pkg/controller/translate"
	"router/pkg/haproxy/config"
	"router/pkg/model"
	"router/pkg/source"
	"router/pkg/template"
	"router/test/configreader"
)

var update = flag.Bool("update", false, "write the results into testdata")

// settings are those of the router that a case may change.
type settings struct {
	// Slots has the files made for HAProxy 2.6.
	Slots          bool     `json:"slots"`
	Whole          bool     `json:"whole"`
	AllowWildcards bool     `json:"allowWildcards"`
	Ingress        bool     `json:"ingress"`
	AllowedDomains []string `json:"allowedDomains"`
	StrictSNI      bool     `json:"strictSNI"`
}

// memory is a data plane that keeps what it would write.
type memory struct{ desired *config.Desired }

// Apply implements controller.DataPlane.
func (m *memory) Apply(_ context.Context, c model.Change) (model.Outcome, error) {
	rejected, err := m.desired.Apply(c)
	return model.Outcome{Rejected: rejected}, err
}

// Converge implements controller.DataPlane.
func (m *memory) Converge(context.Context) (model.Outcome, error) { return model.Outcome{}, nil }

// Verify implements controller.DataPlane.
func (m *memory) Verify(context.Context) (model.Outcome, error) { return model.Outcome{}, nil }

// Exited implements controller.DataPlane.
func (m *memory) Exited() <-chan struct{} { return nil }

// Stop implements controller.DataPlane.
func (m *memory) Stop(context.Context) error { return nil }

// start is when objects are made that do not say it, and the time of tests.
var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// TestGolden makes HAProxy's files and the verdicts for the objects of each case.
func TestGolden(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(paths) < 25 {
		t.Fatalf("%d cases, %v", len(paths), err)
	}
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			t.Parallel()
			archive, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			in, want := map[string]string{}, map[string]string{}
			results := &txtar.Archive{Comment: archive.Comment}
			for _, f := range archive.Files {
				if f.Name == "in.yaml" || f.Name == "settings.yaml" {
					in[f.Name] = string(f.Data)
					results.Files = append(results.Files, f)
				} else {
					want[f.Name] = string(f.Data)
				}
			}
			got := outcome(t, in["settings.yaml"], in["in.yaml"])
			for _, name := range slices.Sorted(maps.Keys(got)) {
				results.Files = append(results.Files, txtar.File{Name: name, Data: []byte(got[name])})
				if got[name] != want[name] && !*update {
					t.Errorf("%s is\n%s\nwant\n%s\n(go test ./test/golden -update writes it anew)", name, got[name], want[name])
				}
				delete(want, name)
			}
			if *update {
				if err := os.WriteFile(path, txtar.Format(results), 0o600); err != nil {
					t.Fatal(err)
				}
				return
			}
			for name := range want {
				t.Errorf("%s is not made any more", name)
			}
		})
	}
}

// outcome is what becomes of objects, by file; "verdicts" has what their owners
// are told.
func outcome(t *testing.T, settingsText, objects string) map[string]string {
	t.Helper()
	var s settings
	if err := yaml.UnmarshalStrict([]byte(settingsText), &s); err != nil {
		t.Fatal(err)
	}
	layout, err := template.NewLayout("/r")
	if err != nil {
		t.Fatal(err)
	}
	templates, err := template.New(conf.Files, "", layout)
	if err != nil {
		t.Fatal(err)
	}
	desired, err := config.NewDesired(config.Options{
		Templates: templates, Layout: layout, Features: config.Features{DynamicServers: !s.Slots, Spares: 1},
		Global: model.Global{
			Listen: model.Listen{HTTPPort: 80, HTTPSPort: 443, InspectDelay: 5 * time.Second}, HTTP2: true, BufferSize: 32768, MaxRewrite: 8192,
			MaxConnections: 50000, Log: model.Log{Address: "192.0.2.1", Facility: "local1", Level: "info", MaxLength: 1024},
			TLS: model.ListenTLS{StrictSNI: s.StrictSNI, MinVersion: "TLSv1.2"}, Identifier: "router",
			Timeouts: model.Timeouts{Connect: 5 * time.Second, Client: 30 * time.Second, ClientFin: time.Second, Server: 30 * time.Second,
				ServerFin: time.Second, HTTPRequest: 10 * time.Second, HTTPKeepAlive: 300 * time.Second, Tunnel: time.Hour},
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	now := func() time.Time { return start.Add(time.Hour) }
	queue := source.NewQueue(time.Now)
	o := controller.Options{
		Queue: queue, DataPlane: &memory{desired}, Logger: slog.New(slog.NewTextHandler(t.Output(), nil)), Now: now, ExternalCertificates: true,
		Admission: admission.Options{Now: now, Validate: true, AllowWildcards: s.AllowWildcards, AllowedDomains: s.AllowedDomains},
		Translate: translate.Options{
			Balance: model.BalanceRandom, TCPBalance: model.BalanceSource, CheckInterval: 5 * time.Second, Forwarded: model.ForwardedAppend,
			HTTP2: true, MaxServersPerRoute: 1000,
		},
		MaxServersPerNamespace: 10_000,
	}
	if s.Ingress {
		o.Ingress = &routes.Class{Controller: "example.test/router", Name: "router"}
	}
	c := controller.New(o)
	for _, object := range decode(t, objects) {
		queue.Push(object)
	}
	queue.MarkSynced()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = c.Run(ctx) // It ends with ctx.
	}()
	select {
	case <-c.Ready():
	case <-ctx.Done():
		t.Fatal("the objects are not served")
	}
	reports, err := c.Routes(ctx)
	cancel()
	<-ended
	if err != nil {
		t.Fatal(err)
	}
	files := written(t, desired, layout, s.Whole)
	files["verdicts"] = verdicts(reports)
	return files
}

// decode reads objects; those that do not say when they were made were made one
// after the other.
func decode(t *testing.T, text string) []source.Change {
	t.Helper()
	known := runtime.NewScheme()
	if err := errors.Join(scheme.AddToScheme(known), routev1.AddToScheme(known)); err != nil {
		t.Fatal(err)
	}
	decoder := serializer.NewCodecFactory(known).UniversalDeserializer()
	reader := utilyaml.NewYAMLReader(bufio.NewReader(strings.NewReader(text)))
	var changes []source.Change
	for {
		document, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return changes
		}
		if err != nil {
			t.Fatal(err)
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		if err != nil {
			t.Fatalf("%v in\n%s", err, document)
		}
		meta, ok := object.(metav1.Object)
		if !ok {
			t.Fatalf("%s is no object", kind)
		}
		if stamp := meta.GetCreationTimestamp(); stamp.IsZero() {
			meta.SetCreationTimestamp(metav1.NewTime(start.Add(time.Duration(len(changes)) * time.Second)))
		}
		meta.SetUID(types.UID(fmt.Sprint("uid-", len(changes))))
		changes = append(changes, source.Change{
			Key: source.Key{Kind: source.Kind(kind.Kind), Namespace: meta.GetNamespace(), Name: meta.GetName()}, Object: meta,
		})
	}
}

// written are the files that are not empty. Of the configuration it is what
// belongs to routes, unless the whole is asked for.
func written(t *testing.T, desired *config.Desired, layout template.Layout, whole bool) map[string]string {
	t.Helper()
	image := config.NewImager(desired.Features()).Image(desired.State, nil)
	files := map[string]string{}
	for path, file := range image.Files(layout, desired.Features()) {
		name, text := strings.TrimPrefix(path, "/r/"), file.Content
		if path == layout.Config.String() {
			if _, err := configreader.Read(text); err != nil {
				t.Errorf("another parser reads something else: %v", err)
			}
			if !whole {
				text = ofRoutes(text, image)
			}
		}
		if strings.Contains(text, "PRIVATE KEY") {
			text = "(a certificate with its key)\n"
		}
		if text != "" && path != layout.DefaultCertificate.String() {
			files[name] = text
		}
	}
	return files
}

// digest is that of settings or contents.
var digest = regexp.MustCompile(`\b[0-9a-f]{12,}\b`)

// ofRoutes is the configuration without what does not depend on routes.
func ofRoutes(text string, s *config.State) string {
	text = strings.TrimPrefix(text, s.Base)
	// The longest first: some begin like others.
	for _, name := range slices.SortedFunc(maps.Keys(s.Profiles), func(a, b string) int { return len(s.Profiles[b]) - len(s.Profiles[a]) }) {
		text = strings.ReplaceAll(text, s.Profiles[name], "  (as in "+name+")\n")
	}
	return digest.ReplaceAllString(text, "#")
}

// verdicts are what owners are told of their routes.
func verdicts(reports []model.RouteReport) string {
	var b strings.Builder
	for i := range reports {
		r := &reports[i]
		name := r.Namespace + "/" + r.Name
		if r.Ingress != "" {
			name = r.Namespace + "/" + r.Ingress + " (Ingress)"
		}
		fmt.Fprintf(&b, "%s %s%s: ", name, r.Host, r.Path)
		if r.Admitted {
			fmt.Fprintf(&b, "admitted, %d servers\n", len(r.Servers))
		} else {
			fmt.Fprintf(&b, "%s: %s\n", r.Reason, r.Message)
		}
		for _, p := range r.Problems {
			fmt.Fprintf(&b, "  %s %s: %s\n", p.Cause, p.Field, p.Message)
		}
	}
	return b.String()
}
