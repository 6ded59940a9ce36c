// Writes unicode_tables.inc: the facts about runes that Go's standard library knows and that
// Prometheus therefore follows. Run by hand after a change of Go's Unicode version:
//
//	go run unicode_tables_gen.go > unicode_tables.inc
package main

import (
	"fmt"
	"strconv"
	"unicode"
)

var column int

// entry puts entries side by side within 100 columns.
func entry(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if column+len(text) > 96 {
		column = 0
	}
	if column == 0 {
		fmt.Print("\n   ")
	}
	fmt.Print(" ", text)
	column += len(text) + 1
}

func open(line, name string) {
	fmt.Printf("constexpr %s %s[] = {", line, name)
	column = 0
}

func ranges(name string, holds func(rune) bool) {
	open("RuneRange", name)
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		if !holds(r) {
			continue
		}
		first := r
		for r < unicode.MaxRune && holds(r+1) {
			r++
		}
		entry("{0x%X, 0x%X},", first, r)
	}
	fmt.Print("\n};\n")
}

// mappings joins neighbours that move by one distance, and every-second ones likewise.
func mappings(name string, mapped func(rune) rune) {
	open("RuneMapping", name)
	for r := rune(0x80); r <= unicode.MaxRune; r++ {
		delta := mapped(r) - r
		if delta == 0 {
			continue
		}
		first, last, step := r, r, rune(1)
		if mapped(r+1)-(r+1) != delta && mapped(r+2)-(r+2) == delta {
			step = 2
		}
		for mapped(last+step)-(last+step) == delta && (step == 1 || mapped(last+1) == last+1) {
			last += step
		}
		entry("{0x%X, 0x%X, %d, %d},", first, last, step, delta)
		r = last
	}
	fmt.Print("\n};\n")
}

func main() {
	fmt.Printf("// Made by unicode_tables_gen.go from Unicode %s. Beyond ASCII only.\n", unicode.Version)
	fmt.Print("// clang-format off\n")
	ranges("kLettersAndDigits", func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) })
	ranges("kPrintable", strconv.IsPrint)
	mappings("kToLower", unicode.ToLower)
	mappings("kToUpper", unicode.ToUpper)
	fmt.Print("// clang-format on\n")
}
