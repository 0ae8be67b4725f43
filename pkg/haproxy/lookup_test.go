package haproxy_test

import (
	"context"
	"testing"

	"router/pkg/model"
	"router/test/haproxies"
)

// lookup is a request in clear, and who answers; a number is a status.
type lookup struct{ host, path, want string }

func (p *plane) look(t *testing.T, when string, lookups ...lookup) {
	t.Helper()
	for _, l := range lookups {
		code, body := p.get(t, l.host, l.path)
		got := body
		switch code {
		case 200:
		case 302:
			got = "redirect"
		default:
			got = "nobody"
		}
		if got != l.want {
			t.Errorf("%s: %s%s is answered by %q, want %q", when, l.host, l.path, got, l.want)
		}
	}
}

func TestAnExactPathIsThatPathAlone(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		at := func(name, path string, exact bool, s model.Server) *model.Route {
			r := route(name, "h.test", s)
			r.Path, r.Exact = path, exact
			return r
		}
		whole, prefix, exact := pod(t, "whole"), pod(t, "prefix"), pod(t, "exact")
		apply(t, p, model.Change{Upsert: []*model.Route{at("whole", "", false, whole), at("prefix", "/a", false, prefix), at("exact", "/other", true, exact)}})
		if o := apply(t, p, model.Change{Upsert: []*model.Route{at("exact", "/a", true, exact)}}); o.Reloaded || len(o.Pending) > 0 {
			t.Errorf("an exact path of a backend that is there: %+v", o)
		}
		p.look(t, "exact /a",
			lookup{"h.test", "/a", "exact"}, lookup{"H.Test.", "/a", "exact"}, lookup{"h.test", "/a?q=/a/b", "exact"},
			lookup{"h.test", "/a/", "prefix"}, lookup{"h.test", "/a/b", "prefix"}, lookup{"h.test", "/ab", "whole"}, lookup{"h.test", "/", "whole"})
		for _, step := range []struct {
			path    string
			lookups []lookup
		}{
			{"/", []lookup{{"h.test", "/", "exact"}, {"h.test", "/?q", "exact"}, {"h.test", "/b", "whole"}, {"h.test", "/a", "prefix"}}},
			{"/a/", []lookup{{"h.test", "/a/", "exact"}, {"h.test", "/a", "prefix"}, {"h.test", "/a/b", "prefix"}}},
		} {
			if o := apply(t, p, model.Change{Upsert: []*model.Route{at("exact", step.path, true, exact)}}); o.Reloaded {
				t.Errorf("exact %s took a reload", step.path)
			}
			p.look(t, "exact "+step.path, step.lookups...)
		}
		if o := apply(t, p, model.Change{Delete: []model.RouteKey{{Namespace: "ns", Name: "exact"}}}); o.Reloaded {
			t.Error("taking an exact path away took a reload")
		}
		p.look(t, "no exact path", lookup{"h.test", "/a", "prefix"}, lookup{"h.test", "/a/", "prefix"}, lookup{"h.test", "/", "whole"})
		if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
			t.Errorf("verify: %+v %v", o, err)
		}
	})
}

func TestAnyHostIsOnlyWhatIsNobodys(t *testing.T) {
	haproxies.EachAndNewer(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary)
		all, anyPath := route("all", model.CatchAllHost, pod(t, "all")), route("any-path", model.CatchAllHost, pod(t, "any-path"))
		anyPath.Path = "/x"
		anyTLS := route("any-tls", model.CatchAllHost, pod(t, "any-tls"))
		anyTLS.Path, anyTLS.Termination, anyTLS.Insecure = "/tls", model.TerminationEdge, model.InsecureRedirect
		part, wild, tls := route("part", "part.test", pod(t, "part")), route("wild", "w.test", pod(t, "wild")), route("tls", "tls.test", pod(t, "tls"))
		part.Path, wild.Path, wild.Wildcard, tls.Termination = "/y", "/z", true, model.TerminationEdge
		apply(t, p, model.Change{Upsert: []*model.Route{part, wild, tls}})
		none := []lookup{{"part.test", "/y", "part"}, {"part.test", "/x", "nobody"}, {"a.w.test", "/z", "wild"}, {"a.w.test", "/", "nobody"}, {"else.test", "/", "nobody"}, {"tls.test", "/", "nobody"}}
		p.look(t, "without any host", none...)
		apply(t, p, model.Change{Upsert: []*model.Route{all, anyPath, anyTLS}})
		with := []lookup{
			{"else.test", "/", "all"}, {"else.test", "/x", "any-path"}, {"Else.test.", "/x/y?z", "any-path"}, {"else.test", "/tls", "redirect"},
			{"part.test", "/y", "part"}, {"part.test", "/x", "nobody"}, {"part.test", "/tls", "nobody"}, {"a.w.test", "/z", "wild"}, {"a.w.test", "/x", "nobody"},
			{"b.a.w.test", "/", "all"}, {"w.test", "/", "all"}, {"tls.test", "/", "nobody"}, {"tls.test", "/tls", "nobody"},
		}
		p.look(t, "with any host", with...)
		// A host that comes is its owner's at once, without a reload.
		moved := *part
		moved.Host = "else.test"
		if o := apply(t, p, model.Change{Upsert: []*model.Route{&moved}}); o.Reloaded {
			t.Error("a new host took a reload")
		}
		p.look(t, "a host moves", lookup{"else.test", "/", "nobody"}, lookup{"else.test", "/y", "part"}, lookup{"part.test", "/", "all"})
		// So is one whose route cannot be served any more.
		if o := apply(t, p, model.Change{Reserve: []model.Reservation{{Key: part.Key, HostKey: model.HostKey{Host: "part.test"}}}}); o.Reloaded {
			t.Error("a host without a route took a reload")
		}
		p.look(t, "a host is held", lookup{"part.test", "/", "nobody"}, lookup{"part.test", "/y", "nobody"}, lookup{"else.test", "/", "all"})
		apply(t, p, model.Change{Upsert: []*model.Route{part}, Delete: []model.RouteKey{all.Key, anyPath.Key, anyTLS.Key}})
		p.look(t, "any host is gone", none...)
		if o, err := p.Verify(context.Background()); err != nil || o.Reloaded {
			t.Errorf("verify: %+v %v", o, err)
		}
	})
}
