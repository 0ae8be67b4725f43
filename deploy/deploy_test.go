// Package deploy tests the manifests of this directory.
package deploy

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"router/pkg/options"
)

// objects decodes every manifest strictly.
func objects(t *testing.T) map[string]runtime.Object {
	t.Helper()
	found := map[string]runtime.Object{}
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no manifests: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for doc := range strings.SplitSeq(string(text), "\n---\n") {
			var kind struct {
				Kind string `json:"kind"`
			}
			if err := yaml.Unmarshal([]byte(doc), &kind); err != nil {
				t.Fatal(err)
			}
			o := map[string]runtime.Object{
				"Namespace": &corev1.Namespace{}, "ServiceAccount": &corev1.ServiceAccount{}, "ClusterRole": &rbacv1.ClusterRole{},
				"Role": &rbacv1.Role{}, "RoleBinding": &rbacv1.RoleBinding{},
				"ClusterRoleBinding": &rbacv1.ClusterRoleBinding{}, "DaemonSet": &appsv1.DaemonSet{}, "IngressClass": &networkingv1.IngressClass{},
			}[kind.Kind]
			if o == nil {
				t.Fatalf("%s: unexpected kind %q", file, kind.Kind)
			}
			if err := yaml.UnmarshalStrict([]byte(doc), o); err != nil {
				t.Errorf("%s: %v", file, err)
			}
			found[kind.Kind] = o
		}
	}
	return found
}

func TestTheRoleCoversWhatIsAskedFor(t *testing.T) {
	role := objects(t)["ClusterRole"].(*rbacv1.ClusterRole)
	for _, want := range [][3]string{
		{"route.openshift.io", "routes", "watch"}, {"route.openshift.io", "routes/status", "update"},
		{"", "services", "watch"}, {"", "endpoints", "watch"}, {"", "namespaces", "watch"}, {"discovery.k8s.io", "endpointslices", "watch"},
		{"authorization.k8s.io", "selfsubjectaccessreviews", "create"},
		{"authentication.k8s.io", "tokenreviews", "create"}, {"authorization.k8s.io", "subjectaccessreviews", "create"},
		{"networking.k8s.io", "ingresses", "watch"}, {"networking.k8s.io", "ingressclasses", "watch"}, {"networking.k8s.io", "ingresses/status", "update"},
	} {
		if !slices.ContainsFunc(role.Rules, func(r rbacv1.PolicyRule) bool {
			return slices.Contains(r.APIGroups, want[0]) && slices.Contains(r.Resources, want[1]) && slices.Contains(r.Verbs, want[2])
		}) {
			t.Errorf("the role lacks %v", want)
		}
	}
}

// What is watched is listed, and nothing is read one by one or patched: OpenShift
// gives its routers no more.
func TestTheRoleAsksForNoMore(t *testing.T) {
	for _, r := range objects(t)["ClusterRole"].(*rbacv1.ClusterRole).Rules {
		for _, verb := range r.Verbs {
			if !slices.Contains([]string{"list", "watch", "update", "create"}, verb) {
				t.Errorf("%v: the verb %s is not needed", r.Resources, verb)
			}
		}
	}
}

// The replicas elect who writes statuses, in their own namespace and nowhere else.
func TestTheReplicasMayUseALease(t *testing.T) {
	all := objects(t)
	role, binding, set := all["Role"].(*rbacv1.Role), all["RoleBinding"].(*rbacv1.RoleBinding), all["DaemonSet"].(*appsv1.DaemonSet)
	if role.Namespace != set.Namespace || binding.Namespace != set.Namespace || binding.RoleRef.Name != role.Name ||
		binding.Subjects[0].Name != set.Spec.Template.Spec.ServiceAccountName || binding.Subjects[0].Namespace != set.Namespace {
		t.Errorf("the role %+v and its binding %+v are not those of the daemon set", role.ObjectMeta, binding)
	}
	want := []rbacv1.PolicyRule{{APIGroups: []string{"coordination.k8s.io"}, Resources: []string{"leases"}, Verbs: []string{"get", "create", "update"}}}
	if !reflect.DeepEqual(role.Rules, want) {
		t.Errorf("rules are %+v, want %+v", role.Rules, want)
	}
}

func TestTheDaemonSetRunsOnTheHostsNetwork(t *testing.T) {
	pod := objects(t)["DaemonSet"].(*appsv1.DaemonSet).Spec.Template.Spec
	c := pod.Containers[0]
	if !pod.HostNetwork || pod.ServiceAccountName != "router" || c.LivenessProbe.HTTPGet.Path != "/healthz" || c.ReadinessProbe.HTTPGet.Path != "/healthz/ready" {
		t.Errorf("pod is %+v", pod)
	}
}

func TestTheClassIsTheRoutersOwn(t *testing.T) {
	class := objects(t)["IngressClass"].(*networkingv1.IngressClass)
	for _, row := range options.Table() {
		if row.Flag == "ingress-controller" && row.Default != class.Spec.Controller || row.Flag == "ingress-class" && row.Default != class.Name {
			t.Errorf("--%s is %s, the class is %+v", row.Flag, row.Default, class)
		}
	}
}
