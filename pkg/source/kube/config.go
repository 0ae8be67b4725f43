package kube

import (
	"fmt"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"router/pkg/given"
	"router/pkg/model"
)

// Flags are the usual flags that say which cluster to use, and as whom. Empty
// ones leave the decision to the kubeconfig file, and without one to the
// service account of the pod.
type Flags struct {
	Kubeconfig                                given.Path
	Context, Cluster, User, Namespace         string
	Server                                    string
	CertificateAuthority                      given.Path
	ClientCertificate, ClientKey              given.Path
	Token                                     model.Secret
	TLSServerName                             string
	ProxyURL                                  model.Secret
	As, AsUID                                 string
	AsGroups                                  []string
	InsecureSkipTLSVerify, DisableCompression bool
	RequestTimeout                            string
}

// kubeconfigs are the files that KUBECONFIG names: there may be several, to be
// merged.
func (f Flags) kubeconfigs() []string { return filepath.SplitList(string(f.Kubeconfig)) }

// check looks at the files first. What the library says of one that it cannot
// read has the path as it was given, which may be a secret by mistake.
func (f Flags) check() error {
	files := []struct {
		path given.Path
		flag string
	}{
		{f.CertificateAuthority, "--certificate-authority (ROUTER_KUBE_CERTIFICATE_AUTHORITY)"},
		{f.ClientCertificate, "--client-certificate (ROUTER_KUBE_CLIENT_CERTIFICATE)"},
		{f.ClientKey, "--client-key (ROUTER_KUBE_CLIENT_KEY)"},
	}
	if len(f.kubeconfigs()) == 1 { // Of several, some may be missing.
		files = append(files, struct {
			path given.Path
			flag string
		}{f.Kubeconfig, "--config (KUBECONFIG)"})
	}
	for _, file := range files {
		if file.path == "" {
			continue
		}
		if err := file.path.Check(); err != nil {
			return fmt.Errorf("%s: %w", file.flag, err)
		}
	}
	return nil
}

// Config works out how to reach the cluster.
func Config(f Flags) (*rest.Config, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if files := f.kubeconfigs(); len(files) > 1 {
		rules.Precedence = files
	} else {
		rules.ExplicitPath = string(f.Kubeconfig)
	}
	overrides := &clientcmd.ConfigOverrides{
		CurrentContext: f.Context,
		Timeout:        f.RequestTimeout,
		Context:        api.Context{Cluster: f.Cluster, AuthInfo: f.User, Namespace: f.Namespace},
		ClusterInfo: api.Cluster{
			Server: f.Server, CertificateAuthority: string(f.CertificateAuthority), InsecureSkipTLSVerify: f.InsecureSkipTLSVerify,
			TLSServerName: f.TLSServerName, ProxyURL: f.ProxyURL.Reveal(), DisableCompression: f.DisableCompression,
		},
		AuthInfo: api.AuthInfo{
			ClientCertificate: string(f.ClientCertificate), ClientKey: string(f.ClientKey), Token: f.Token.Reveal(),
			Impersonate: f.As, ImpersonateUID: f.AsUID, ImpersonateGroups: f.AsGroups,
		},
	}
	config, err := clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules, overrides).ClientConfig()
	if err != nil {
		if clientcmd.IsEmptyConfig(err) {
			return nil, fmt.Errorf("no cluster to watch: give --config or KUBECONFIG, run in a pod, or use --manifests for a directory")
		}
		return nil, fmt.Errorf("--config: %w", err)
	}
	config.UserAgent = "router"
	return config, nil
}
