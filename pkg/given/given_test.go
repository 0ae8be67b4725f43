package given

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func must[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func TestKeysAreKnown(t *testing.T) {
	ec := must[*ecdsa.PrivateKey](t)(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	bits := must[*rsa.PrivateKey](t)(rsa.GenerateKey(rand.Reader, 2048))
	for name, der := range map[string][]byte{
		"EC PRIVATE KEY": must[[]byte](t)(x509.MarshalECPrivateKey(ec)), "RSA PRIVATE KEY": x509.MarshalPKCS1PrivateKey(bits),
		"PRIVATE KEY": must[[]byte](t)(x509.MarshalPKCS8PrivateKey(ed)),
	} {
		text := string(pem.EncodeToMemory(&pem.Block{Type: name, Bytes: der}))
		for form, value := range map[string]string{
			"PEM": text, "within others": "a\n" + text + "b", "base64 of PEM": base64.StdEncoding.EncodeToString([]byte(text)), "PEM on a line": strings.ReplaceAll(text, "\n", " "),
			"base64 of DER": base64.StdEncoding.EncodeToString(der), "without padding": base64.RawStdEncoding.EncodeToString(der), "for URLs": base64.RawURLEncoding.EncodeToString(der),
		} {
			if !IsKey(value) || !Hides(value) || strings.Contains(Shown(value), value[:20]) {
				t.Errorf("%s, %s is no key", name, form)
			}
			if CheckPath(value) == nil {
				t.Errorf("%s, %s is a path", name, form)
			}
		}
	}
	for _, value := range []string{"", "admin", "/etc/router/tls.key", strings.Repeat("a", 200), strings.Repeat("AAAA", 100), "example.test"} {
		if IsKey(value) {
			t.Errorf("%q is a key", value)
		}
	}
}

func TestWhatErrorsShow(t *testing.T) {
	for value, want := range map[string]string{
		"abc": `"abc"`, "a\tb": `"a\tb"`, "": `""`, "/a b": `"/a b"`, "http://a.test/x@y": "[not shown: 17 bytes]", "http://u:p@a.test": "[not shown: 17 bytes]",
		"a\nb": "[not shown: 3 bytes]", strings.Repeat("x", 257): "[not shown: 257 bytes]", "\xff": "[not shown: 1 bytes]",
	} {
		if got := Shown(value); got != want {
			t.Errorf("%q is shown as %s, want %s", value, got, want)
		}
	}
}

func TestPathsThatMayBeSecrets(t *testing.T) {
	for value, want := range map[Path]string{
		"/etc/tls.pem": "/etc/tls.pem", "./x": "./x", "../x/y": "../x/y", "cert.pem": "cert.pem", "certs/router_1/tls.crt": "certs/router_1/tls.crt", "": "", "a+b/tls.crt": "[not shown: 11 bytes]",
		"hunter2": "[not shown: 7 bytes]", "aB3/x9==": "[not shown: 8 bytes]", "/a\nb": "[not shown: 4 bytes]", "sha256~abc": "[not shown: 10 bytes]",
	} {
		var log bytes.Buffer
		slog.New(slog.NewTextHandler(&log, nil)).Info("x", "path", value)
		text := must[[]byte](t)(json.Marshal(value))
		_, err := value.Join("nowhere").Read()
		for _, said := range []string{
			value.String(), fmt.Sprintf("%s %v %q %x %#v %+v", value, value, value, value, value, struct{ P Path }{value}), log.String(), string(text), err.Error(), fmt.Sprint(value.Check()),
		} {
			if want != string(value) && strings.Contains(said, string(value)) {
				t.Errorf("%q is shown: %s", string(value), said)
			}
		}
		if value.String() != want {
			t.Errorf("%q is shown as %s, want %s", string(value), value, want)
		}
	}
}

func TestReadingAPath(t *testing.T) {
	dir := Path(t.TempDir())
	if err := os.WriteFile(filepath.Join(string(dir), "a"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if content, err := dir.Join("a").Read(); err != nil || string(content) != "x" || dir.Join("a").Check() != nil {
		t.Errorf("the content is %q, %v", content, err)
	}
	if err := dir.Join("b").Check(); err == nil || !os.IsNotExist(err) && !strings.HasSuffix(err.Error(), "/b: no such file or directory") {
		t.Errorf("the error is %v", err)
	}
}
