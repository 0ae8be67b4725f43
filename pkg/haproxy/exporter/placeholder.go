package exporter

// placeholder is a proxy or server of the reference router that HAProxy has here
// only while it is needed. Its series are always exported, since dashboards and
// alerts name it.
type placeholder struct {
	key seriesKey
	// tcp proxies know nothing of HTTP.
	tcp bool
}

// placeholders are the frontends and backends that TLS connections go through in
// the reference router.
func placeholders() []placeholder {
	return []placeholder{
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

// addPlaceholders adds the series of what HAProxy does not have, with what was
// counted before, else zero. They are up: that there is no such proxy is no
// failure.
func (c *Collector) addPlaceholders(s *snapshot, of kind) {
	for _, placeholder := range placeholders() {
		if placeholder.key.kind&of == 0 || s.series[placeholder.key] != nil {
			continue
		}
		now := c.begin(placeholder.key)
		for i, column := range c.columns {
			if column.of&placeholder.key.kind == 0 || placeholder.tcp && column.isHTTP() {
				continue
			}
			now.has[i] = true
			if column.index == columnStatus {
				now.values[i] = 1
			}
		}
		s.series[placeholder.key] = now
	}
}
