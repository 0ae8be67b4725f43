package kube

import (
	"fmt"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"
)

// Flags are the usual flags that say which cluster to use, and as whom. Empty
// ones leave the decision to the kubeconfig file, and without one to the
// service account of the pod.
type Flags struct {
	Kubeconfig, Context, Cluster, User, Namespace string
	Server, CertificateAuthority                  string
	ClientCertificate, ClientKey, Token           string
	TLSServerName, ProxyURL                       string
	As, AsUID                                     string
	AsGroups                                      []string
	InsecureSkipTLSVerify, DisableCompression     bool
	RequestTimeout                                string
}

// Config works out how to reach the cluster.
func Config(f Flags) (*rest.Config, error) {
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if files := filepath.SplitList(f.Kubeconfig); len(files) > 1 {
		rules.Precedence = files // KUBECONFIG may name several, to be merged.
	} else {
		rules.ExplicitPath = f.Kubeconfig
	}
	overrides := &clientcmd.ConfigOverrides{
		CurrentContext: f.Context,
		Timeout:        f.RequestTimeout,
		Context:        api.Context{Cluster: f.Cluster, AuthInfo: f.User, Namespace: f.Namespace},
		ClusterInfo: api.Cluster{
			Server: f.Server, CertificateAuthority: f.CertificateAuthority, InsecureSkipTLSVerify: f.InsecureSkipTLSVerify,
			TLSServerName: f.TLSServerName, ProxyURL: f.ProxyURL, DisableCompression: f.DisableCompression,
		},
		AuthInfo: api.AuthInfo{
			ClientCertificate: f.ClientCertificate, ClientKey: f.ClientKey, Token: f.Token,
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
