package stats

// standing is a proxy, or its server, of the reference router that HAProxy has
// here only while it is needed. Its series are always there, so that boards
// and alerts that name it find them.
type standing struct {
	key seriesKey
	// tcp proxies know nothing of HTTP.
	tcp bool
}

// standings are the frontends and backends that TLS connections go through in
// the reference router.
func standings() []standing {
	return []standing{
		{seriesKey{frontend, [5]string{"public"}}, false},
		{seriesKey{frontend, [5]string{"public_ssl"}}, true},
		{seriesKey{frontend, [5]string{"fe_sni"}}, false},
		{seriesKey{frontend, [5]string{"fe_no_sni"}}, false},
		{seriesKey{backend, [5]string{"other/be_sni"}}, true},
		{seriesKey{backend, [5]string{"other/be_no_sni"}}, true},
		{seriesKey{server, [5]string{"fe_sni"}}, true},
		{seriesKey{server, [5]string{"fe_no_sni"}}, true},
	}
}

// stand adds what HAProxy does not have: what was counted before, else zero. It
// counts as up, since nothing is amiss: connections take the way without it.
func (c *Collector) stand(s *snapshot, of kind) {
	for _, standing := range standings() {
		if standing.key.kind&of == 0 || s.series[standing.key] != nil {
			continue
		}
		now := c.begin(standing.key)
		for i, column := range c.columns {
			if column.of&standing.key.kind == 0 || standing.tcp && column.isHTTP() {
				continue
			}
			now.has[i] = true
			if column.index == columnStatus {
				now.values[i] = 1
			}
		}
		s.series[standing.key] = now
	}
}
