// Package spelling finds the name that somebody probably meant.
package spelling

import "slices"

// Nearest is the known name that takes the fewest edits to get from name, "" if
// that would be a third of it or more. Of equally near ones, the first in the
// alphabet.
func Nearest(name string, known []string) string { return within(len(name)/3, name, known) }

// typo is one more than the edits of a slip of the hand, such as two letters
// that changed places.
const typo = 3

// Typo is the known name that somebody tried to type, "" if that takes more
// than two edits. Of equally near ones, it is the first in the alphabet.
func Typo(name string, known []string) string { return within(typo, name, known) }

// within finds the nearest name that takes fewer edits than that.
func within(fewest int, name string, known []string) string {
	best := ""
	for _, k := range slices.Sorted(slices.Values(known)) {
		if d := edits(name, k); d < fewest {
			best, fewest = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}
