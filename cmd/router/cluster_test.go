package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"router/pkg/given"
	"router/pkg/model"
	"router/pkg/options"
)

const (
	clusters = "apiVersion: v1\nkind: Config\nclusters: [{name: c, cluster: {server: 'https://one.test:6443'}}]\n"
	users    = "apiVersion: v1\nkind: Config\ncurrent-context: x\nusers: [{name: u, user: {token: t}}]\ncontexts: [{name: x, context: {cluster: c, user: u}}]\n"
)

func write(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSeveralKubeconfigFilesAreMerged(t *testing.T) {
	list := write(t, "clusters", clusters) + string(filepath.ListSeparator) + write(t, "users", users)
	config, err := clusterConfig(options.Kubernetes{Kubeconfig: given.Path(list)})
	if err != nil || config.Host != "https://one.test:6443" || config.BearerToken != "t" {
		t.Errorf("%v, %v", config, err)
	}
}

func TestFlagsWinOverTheKubeconfigFile(t *testing.T) {
	config, err := clusterConfig(options.Kubernetes{Kubeconfig: given.Path(write(t, "both", clusters+strings.TrimPrefix(users, "apiVersion: v1\nkind: Config\n"))), Server: "https://two.test", Token: model.NewSecret("other"), RequestTimeout: "3s"})
	if err != nil || config.Host != "https://two.test" || config.BearerToken != "other" || config.Timeout.Seconds() != 3 {
		t.Errorf("%v, %v", config, err)
	}
}

func TestAMissingKubeconfigFileIsNamed(t *testing.T) {
	if _, err := clusterConfig(options.Kubernetes{Kubeconfig: "/does/not/exist"}); err == nil || !strings.Contains(err.Error(), "--config") || !strings.Contains(err.Error(), "/does/not/exist") {
		t.Errorf("the error is %v", err)
	}
}

// TestSecretsInPlaceOfPathsAreNotShown gives tokens, and files with tokens.
func TestSecretsInPlaceOfPathsAreNotShown(t *testing.T) {
	const token = "Hunter2Hunter2"
	file := given.Path(write(t, "secret", token))
	for name, f := range map[string]options.Kubernetes{
		"config": {Kubeconfig: token}, "certificate-authority": {CertificateAuthority: token, Server: "https://a.test"},
		"client-certificate": {ClientCertificate: token, ClientKey: file, Server: "https://a.test"}, "client-key": {ClientKey: token, ClientCertificate: file, Server: "https://a.test"},
		"config ": {Kubeconfig: file},
	} {
		_, err := clusterConfig(f)
		if err == nil || !strings.Contains(err.Error(), "--"+strings.TrimSpace(name)) || strings.Contains(err.Error(), token) {
			t.Errorf("%s: the error is %v", name, err)
		}
	}
}
