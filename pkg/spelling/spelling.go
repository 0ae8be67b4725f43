// Package spelling finds the name that somebody probably meant.
package spelling

// Nearest is the known name that takes the fewest edits to get from name, "" if
// that would be a third of it or more. Of equally near ones, the first in the
// alphabet.
func Nearest(name string, known []string) string { return within(len(name)/3, name, known) }

// typo is one more than the edits of a slip of the hand, such as two letters
// that changed places.
const typo = 3

// Typo is the known name that somebody tried to type, "" if that takes more
// than two edits, or as many as the name has letters. Of equally near ones, it
// is the first in the alphabet.
func Typo(name string, known []string) string { return within(min(typo, len(name)), name, known) }

// within finds the nearest name that takes fewer edits than that.
func within(fewest int, name string, known []string) string {
	best := ""
	for _, k := range known {
		// One that is as near counts if it is earlier in the alphabet.
		most := fewest - 1
		if best != "" && k < best {
			most = fewest
		}
		if d := edits(name, k, most); d <= most {
			best, fewest = k, d
		}
	}
	return best
}

// edits is the Levenshtein distance, or anything above most if it is more:
// names are long, and most have nothing to do with each other.
func edits(a, b string, most int) int {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	if more := len(a) - len(b); more > most || -more > most {
		return most + 1
	}
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		diagonal := row[0]
		row[0] = i
		least := i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			diagonal, row[j] = row[j], min(row[j]+1, row[j-1]+1, diagonal+cost)
			least = min(least, row[j])
		}
		if least > most {
			return least
		}
	}
	return row[len(b)]
}
