package main

import (
	"fmt"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/clientcmd/api"

	"router/pkg/given"
	"router/pkg/options"
)

// kubeconfigs are the files that KUBECONFIG names: there may be several, to be
// merged.
func kubeconfigs(f options.Kubernetes) []string { return filepath.SplitList(string(f.Kubeconfig)) }

// checkFiles looks at the files first. What the library says of one that it cannot
// read has the path as it was given, which may be a secret by mistake.
func checkFiles(f options.Kubernetes) error {
	files := []struct {
		path given.Path
		flag string
	}{
		{f.CertificateAuthority, "--certificate-authority (ROUTER_KUBE_CERTIFICATE_AUTHORITY)"},
		{f.ClientCertificate, "--client-certificate (ROUTER_KUBE_CLIENT_CERTIFICATE)"},
		{f.ClientKey, "--client-key (ROUTER_KUBE_CLIENT_KEY)"},
	}
	if len(kubeconfigs(f)) == 1 { // Of several, some may be missing.
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

// clusterConfig works out how to reach the cluster. Empty flags leave the
// decision to the kubeconfig file, and without one to the service account of
// the pod.
func clusterConfig(f options.Kubernetes) (*rest.Config, error) {
	if err := checkFiles(f); err != nil {
		return nil, err
	}
	rules := clientcmd.NewDefaultClientConfigLoadingRules()
	if files := kubeconfigs(f); len(files) > 1 {
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
