package options

import "router/pkg/spelling"

// Nearest is the flag whose name is most like the given one, "" if none is.
func Nearest(name string) string {
	var names []string
	for _, r := range Table() {
		names = append(names, r.Flag)
	}
	return spelling.Nearest(name, names)
}
