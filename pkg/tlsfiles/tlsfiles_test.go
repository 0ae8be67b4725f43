package tlsfiles

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"router/pkg/defaultcert"
	"router/pkg/given"
	"router/pkg/pki"
	"router/test/certs"
)

func file(t *testing.T, name, content string) given.Path {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return given.Path(path)
}

func authority(t *testing.T, points ...string) *certs.Authority {
	t.Helper()
	a, err := certs.NewAuthority("clients of "+t.Name(), points...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func list(t *testing.T, a *certs.Authority, lifetime time.Duration) string {
	t.Helper()
	text, err := a.CRL(time.Now().Add(lifetime))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func der(t *testing.T, text string) string {
	t.Helper()
	block, _ := pem.Decode([]byte(text))
	if block == nil {
		t.Fatal("no PEM")
	}
	return string(block.Bytes)
}

func certificates(t *testing.T, text string) []*x509.Certificate {
	t.Helper()
	certs, err := pki.Certificates(text)
	if err != nil {
		t.Fatal(err)
	}
	return certs
}

func load(t *testing.T, o Options) (*Files, error) {
	t.Helper()
	o.Certificate = defaultcert.Options{Path: o.Certificate.Path, SelfSigned: filepath.Join(t.TempDir(), "made.pem"), Now: time.Now()}
	o.VerifyClients, o.Now = true, time.Now
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return Load(context.Background(), o)
}

func TestFilesThatCannotBeUsedAtTheStart(t *testing.T) {
	ca := authority(t)
	good := file(t, "ca.pem", ca.PEM)
	for name, c := range map[string]struct {
		options Options
		flag    string
	}{
		"no client CA":           {Options{ClientCAFile: "/nowhere"}, "--mutual-tls-auth-ca (ROUTER_MUTUAL_TLS_AUTH_CA)"},
		"client CA is a list":    {Options{ClientCAFile: file(t, "l", list(t, ca, time.Hour))}, "--mutual-tls-auth-ca (ROUTER_MUTUAL_TLS_AUTH_CA)"},
		"client CA is cut short": {Options{ClientCAFile: file(t, "c", strings.Replace(ca.PEM, "MII", "", 1))}, "--mutual-tls-auth-ca (ROUTER_MUTUAL_TLS_AUTH_CA)"},
		"no list":                {Options{ClientCAFile: good, ClientCRLFile: "/nowhere"}, "--mutual-tls-auth-crl (ROUTER_MUTUAL_TLS_AUTH_CRL)"},
		"empty list":             {Options{ClientCAFile: good, ClientCRLFile: file(t, "e", "")}, "--mutual-tls-auth-crl (ROUTER_MUTUAL_TLS_AUTH_CRL)"},
		"list is a CA":           {Options{ClientCAFile: good, ClientCRLFile: good}, "--mutual-tls-auth-crl (ROUTER_MUTUAL_TLS_AUTH_CRL)"},
		"no destination CA":      {Options{ClientCAFile: good, DestinationCAFile: "/nowhere"}, "--default-destination-ca-path (DEFAULT_DESTINATION_CA_PATH)"},
	} {
		if _, err := load(t, c.options); err == nil || !strings.Contains(err.Error(), c.flag) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}

func TestListsThatAuthoritiesName(t *testing.T) {
	var answer string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, answer) }))
	defer server.Close()
	ca, other := authority(t, server.URL), authority(t, server.URL)
	for name, c := range map[string]struct {
		answer string
		used   bool
	}{
		"PEM":                     {list(t, ca, time.Hour), true},
		"DER":                     {der(t, list(t, ca, time.Hour)), true},
		"signed by somebody else": {list(t, other, time.Hour), false},
		"expired":                 {list(t, ca, -time.Minute), false},
		"no list":                 {"<html>", false},
		"empty":                   {"", false},
	} {
		answer = c.answer
		f, err := load(t, Options{ClientCAFile: file(t, "ca.pem", ca.PEM)})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		crls, err := parseCRLs([]byte(f.Current().ClientTrust.CRLs))
		if err != nil || len(crls) != 1 {
			t.Errorf("%s: %d lists, %v", name, len(crls), err)
			continue
		}
		// Where there is no list to use, nobody's keeps everybody out.
		if signed := crls[0].CheckSignatureFrom(certificates(t, ca.PEM)[0]) == nil; signed != c.used {
			t.Errorf("%s: the list is the authority's: %v", name, signed)
		}
	}
}

func TestWhenListsAreDownloadedAgain(t *testing.T) {
	now := time.Now()
	requests, fail := 0, false
	var lifetime time.Duration
	var ca *certs.Authority
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if requests++; fail {
			w.WriteHeader(http.StatusBadGateway)
			return
		}
		text, err := ca.CRL(now.Add(lifetime))
		if err != nil {
			t.Error(err)
		}
		_, _ = io.WriteString(w, text)
	}))
	defer server.Close()
	ca = authority(t, server.URL)
	l := newLists(Options{Now: func() time.Time { return now }, Client: server.Client(), Logger: slog.New(slog.DiscardHandler)})
	certs := certificates(t, ca.PEM)
	for i, step := range []struct {
		after, lifetime time.Duration
		fail            bool
		want            int
	}{
		{0, 20 * time.Minute, false, 1},
		{9 * time.Minute, 20 * time.Minute, false, 1},
		{time.Minute, 100 * time.Hour, false, 2}, // Half its life is over.
		{59 * time.Minute, 100 * time.Hour, false, 2},
		{time.Minute, 100 * time.Hour, true, 3}, // An hour at most.
		{999 * time.Millisecond, 100 * time.Hour, true, 3},
		{time.Millisecond, 100 * time.Hour, true, 4},
		{time.Second, 100 * time.Hour, true, 4},
		{time.Second, 100 * time.Hour, true, 5},
		{time.Hour, 100 * time.Hour, false, 6},
	} {
		now = now.Add(step.after)
		lifetime, fail = step.lifetime, step.fail
		text, err := l.of(context.Background(), certs)
		if err != nil || text == "" {
			t.Fatalf("step %d: %q, %v", i, text, err)
		}
		if requests != step.want {
			t.Errorf("step %d: %d requests, want %d", i, requests, step.want)
		}
	}
}

func TestAuthoritiesWithoutAList(t *testing.T) {
	var messages strings.Builder
	first, second := authority(t), authority(t)
	other, err := certs.NewAuthority("other")
	if err != nil {
		t.Fatal(err)
	}
	f, err := load(t, Options{
		ClientCAFile: file(t, "ca.pem", first.PEM+other.PEM), ClientCRLFile: file(t, "crl.pem", "text\n"+list(t, first, time.Hour)+list(t, second, -time.Minute)),
		Logger: slog.New(slog.NewTextHandler(&messages, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if now := f.read(context.Background()); now != f.Current() {
			t.Error("nothing has changed, and the files have")
		}
	}
	if text := messages.String(); strings.Count(text, "none of this authority") != 1 || strings.Count(text, "it has expired") != 1 {
		t.Errorf("it says %s", text)
	}
}

func TestWhatIsReadIsCleanPEM(t *testing.T) {
	ca := authority(t)
	f, err := load(t, Options{ClientCAFile: file(t, "ca.pem", "# a comment\n\n"+ca.PEM+"\n\n"+list(t, ca, time.Hour))})
	if err != nil || f.Current().ClientTrust.CAs != ca.PEM {
		t.Fatalf("%q, %v", f.Current().ClientTrust.CAs, err)
	}
	if again := certificates(t, ca.PEM); len(again) != 1 || again[0].Subject.CommonName != "clients of "+t.Name() {
		t.Error("it is not the same when it is parsed again")
	}
}

// The administrator's own certificate may have a key that no route may have;
// what it costs is told once for each certificate.
func TestDefaultCertificateWithALargeKey(t *testing.T) {
	ca := authority(t)
	for bits, warnings := range map[int]int{4096: 0, 4224: 1} {
		pair, err := ca.IssueRSA(bits, "*.example.org")
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		f, err := load(t, Options{
			Certificate:  defaultcert.Options{Path: file(t, "default.pem", pair.Cert+pair.Key)},
			ClientCAFile: file(t, "ca.pem", ca.PEM), Logger: slog.New(slog.NewTextHandler(&said, nil)),
		})
		if err != nil {
			t.Fatal(err)
		}
		f.read(t.Context())
		if n := strings.Count(said.String(), "large RSA key"); n != warnings || n > 0 && !strings.Contains(said.String(), "bits=4224") {
			t.Errorf("an RSA key of %d bits: it says %q", bits, said.String())
		}
		if f.Current().DefaultCertificate.Chain == "" {
			t.Errorf("an RSA key of %d bits is not served", bits)
		}
	}
}
