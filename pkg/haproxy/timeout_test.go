package haproxy_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"router/pkg/haproxy"
	"router/pkg/model"
	"router/test/haproxies"
)

// TestAStartThatTakesTooLongFails gives HAProxy no time at all.
func TestAStartThatTakesTooLongFails(t *testing.T) {
	haproxies.Each(t, func(t *testing.T, binary string) {
		p := newPlane(t, binary, func(o *haproxy.Options) { o.ReloadTimeout = time.Nanosecond })
		if _, err := p.Apply(t.Context(), model.Change{}); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the error is %v", err)
		}
	})
}
