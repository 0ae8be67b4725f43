// Package exporter turns HAProxy's statistics into the metrics of the reference
// router: the same names, labels and columns. Its counters go on over reloads.
package exporter
