package tlsfiles

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"router/pkg/defaultcert"
)

func TestTheDatesOfTheDefaultCertificateAreTold(t *testing.T) {
	ca := authority(t)
	end := time.Date(2030, 6, 1, 12, 0, 0, 0, time.UTC)
	pair, err := ca.IssueUntil(end, "default.test")
	if err != nil {
		t.Fatal(err)
	}
	later, err := ca.IssueUntil(end.Add(24*time.Hour), "default.test")
	if err != nil {
		t.Fatal(err)
	}
	path := file(t, "cert.pem", pair.Cert+pair.Key)
	now := end.Add(-15 * 24 * time.Hour)
	var log bytes.Buffer
	f, err := Load(t.Context(), Options{
		Certificate: defaultcert.Options{Path: path}, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	says := func(what, want string) {
		t.Helper()
		f.current = f.read(context.Background())
		said := log.String()
		log.Reset()
		switch {
		case want == "" && said != "":
			t.Errorf("%s: the log says %s", what, said)
		case want != "" && (strings.Count(said, "level=WARN") != 1 || !strings.Contains(said, want)):
			t.Errorf("%s: the log says %q, want %s", what, said, want)
		}
	}
	says("15 days before its end", "")
	now = end.Add(-13 * 24 * time.Hour)
	says("13 days before its end", `msg="the default certificate expires soon" expires=2030-06-01T12:00:00.000Z`)
	now = end.Add(-12 * 24 * time.Hour)
	says("a day later", "")
	now = end.Add(time.Minute)
	says("at its end", `msg="the default certificate has expired" expired=2030-06-01T12:00:00.000Z`)
	says("once more", "")
	if err := os.WriteFile(string(path), []byte(later.Cert+later.Key), 0o600); err != nil {
		t.Fatal(err)
	}
	says("another one", `msg="the default certificate expires soon" expires=2030-06-02T12:00:00.000Z`)
	now = end.AddDate(-20, 0, 0)
	says("before its beginning", `msg="the default certificate is not valid yet" from=2020-01-01T00:00:00.000Z`)
}

func TestAnExpiredDefaultCertificateIsToldAtTheStart(t *testing.T) {
	pair, err := authority(t).IssueUntil(time.Now().Add(-time.Hour), "default.test")
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	_, err = Load(t.Context(), Options{
		Certificate: defaultcert.Options{Path: file(t, "cert.pem", pair.Cert+pair.Key)}, Now: time.Now, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	})
	if err != nil || !strings.Contains(log.String(), "the default certificate has expired") {
		t.Errorf("the log says %q, %v", log.String(), err)
	}
}
