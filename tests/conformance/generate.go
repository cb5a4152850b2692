package main

import (
	"math/rand"
	"strings"
)

// generate returns references of every sort, the same ones for the same seed. None holds a line
// feed, which separates them.
func generate(seed int64, count int) []string {
	g := generator{rand.New(rand.NewSource(seed))}
	out := make([]string, 0, count)
	out = append(out, known...)
	for len(out) < count {
		out = append(out, strings.ReplaceAll(g.any(), "\n", "\v"))
	}
	return out[:count]
}

// known are corners of the grammar, taken as they are and as the ground for mutations.
var known = []string{
	"", "a", "A", "nginx", "nginx:latest", "Nginx", "shop/web", "Shop/web", "shop/Web", "/", "//", "a/", "/a", "a//b",
	":", ":a", "a:", "@", "a@", "a:b@", "a@b", "a@b:c", "a:b:c", "a/b:c/d", "localhost", "localhost/a", "localhost:1/a",
	"LOCALHOST/a", "localhost/", "localhost:/a", "docker.io", "docker.io/a", "docker.io/library/a", "docker.io/a/b",
	"index.docker.io/a", "index.docker.io/a/b", "index.docker.io/", "Docker.io/a", "docker.io:443/a", "docker.io./a",
	"library/a", "library/a/b", "library", "library/", "UPPER/app:1.0", "uPPer/app", "UPPER", "UPPER:1/app", "UP_PER/app",
	"foo_bar.com/app", "foo_bar.com", "foo_bar.com:80/app", "foo__bar.com/a/b", "foo_bar.Com/app", "a.b_c/d", "a._b/c",
	"a..b/c", "a.-b/c", "a-.b/c", "a.b-/c", "-a.b/c", "a.b./c", ".a.b/c", "a--b/c", "a--b.c/d", "a---b", "a__b", "a___b",
	"a_-b", "a_.b", "a.b", "a..b", "a-", "a_", "a.", "-a", "_a", ".a", "0.0.0.0/a", "1.2.3.4:5/a:6", "1:2/3:4", "1:2",
	"[::1]/a", "[::1]:1/a", "[::1]:/a", "[::1]:x/a", "[::1]", "[::1]:1", "[::1]a/b", "[]/a", "[:]/a", "[a]/a", "[A]/a", "[G]/a",
	"[fe80::1%25eth0]/a", "[::ffff:1.2.3.4]/a", "[::1", "::1]/a", "::1/a", "[[::1]]/a", "a[::1]/a", "[fd00::1]:5000/a/b:c",
	"https://a.b/c", "docker://a", "oci:a", "a b", " a", "a ", "\ta", "a\t", "a\r", "a\x00", "\x00", "a\x00b", "\xff", "a\xffb",
	"a:\x7f", "é", "É/a", "a/é", "a:é", "K/a", "ſ/a", "İ.b/c", "a:١", "ａ/b", "a.b:０/c",
	"sha256:" + strings.Repeat("a", 64), strings.Repeat("a", 64), strings.Repeat("A", 64), strings.Repeat("0", 63),
	strings.Repeat("0", 65), strings.Repeat("0", 64) + ":a", "docker.io/" + strings.Repeat("0", 64),
	strings.Repeat("a/", 127) + "a", strings.Repeat("a/", 128) + "a", strings.Repeat("a", 247), strings.Repeat("a", 248),
	"a.b/" + strings.Repeat("a", 255), "a.b/" + strings.Repeat("a", 256), "a_b.c/" + strings.Repeat("a", 249),
	"a_b.c/" + strings.Repeat("a", 250), "a:" + strings.Repeat("t", 128), "a:" + strings.Repeat("t", 129),
}

const (
	lower    = "abcdefghijklmnopqrstuvwxyz"
	upper    = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	digits   = "0123456789"
	hex      = "0123456789abcdef"
	signs    = "./:@-_[]"
	mischief = " \t\r\v\x00\x1f\x7f\x80\xc3\xff%+=~$^\\\"'<>#?&,;(){}|!*"
)

// fragments are letters that fold into others, look like others, or mean something elsewhere.
var fragments = []string{
	"é", "É", "ß", "K", "ſ", "İ", "ı", "а", "ａ", "０", "١", "\u200b", "\u202e", "\u2028", "\ufeff", "🐳", "\xed\xa0\x80", "\xc0\xaf",
	"://", "..", "//", "::", "@@", "__", "___", "--", "[::1]", ":80", ":latest", "@sha256:", "docker.io/", "index.docker.io/",
	"library/", "localhost/", "localhost",
}

type generator struct{ *rand.Rand }

func (g generator) any() string {
	switch n := g.Intn(100); {
	case n < 25:
		return g.valid()
	case n < 55:
		return g.mutated(g.valid())
	case n < 70:
		return g.mutated(known[g.Intn(len(known))])
	case n < 82:
		return g.soup("aB0"+signs, 1+g.Intn(12))
	case n < 86:
		return g.soup(lower+upper+digits+signs+mischief, g.Intn(40))
	case n < 89:
		return g.bytes(g.Intn(30))
	case n < 92:
		return g.long()
	case n < 96:
		return g.name() + "@" + g.oddDigest()
	default:
		return g.oddHost() + "/" + g.path()
	}
}

func (g generator) chance(percent int) bool { return g.Intn(100) < percent }

func (g generator) pick(from string) string {
	i := g.Intn(len(from))
	return from[i : i+1]
}

// soup is text of any bytes of an alphabet.
func (g generator) soup(alphabet string, size int) string {
	var out strings.Builder
	for i := 0; i < size; i++ {
		out.WriteString(g.pick(alphabet))
	}
	return out.String()
}

func (g generator) bytes(size int) string {
	out := make([]byte, size)
	g.Read(out)
	return string(out)
}

// valid follows the grammar; now and then a part is longer than it may be.
func (g generator) valid() string {
	out := g.name()
	if g.chance(60) {
		out += ":" + g.tag()
	}
	if g.chance(25) {
		out += "@" + g.digest()
	}
	return out
}

func (g generator) name() string {
	if g.chance(55) {
		return g.host() + "/" + g.path()
	}
	return g.path()
}

func (g generator) host() string {
	var out string
	switch g.Intn(10) {
	case 0:
		out = "localhost"
	case 1:
		out = []string{"docker.io", "index.docker.io", "Docker.io", "registry-1.docker.io"}[g.Intn(4)]
	case 2:
		out = "[" + g.soup(hex+"ABCDEF:::", 1+g.Intn(20)) + "]"
	case 3:
		out = g.soup(digits, 1+g.Intn(3)) + "." + g.soup(digits, 1+g.Intn(3)) + "." + g.soup(digits, 1) + ".1"
	default:
		for i := g.Intn(4); i >= 0; i-- {
			out += g.domainComponent()
			if i > 0 {
				out += "."
			}
		}
	}
	if g.chance(40) {
		out += ":" + g.soup(digits, 1+g.Intn(6))
	}
	return out
}

func (g generator) domainComponent() string {
	letters := lower + digits
	if g.chance(15) {
		letters += upper
	}
	out := g.soup(letters, 1+g.Intn(6))
	if g.chance(25) {
		out += strings.Repeat("-", 1+g.Intn(3)) + g.soup(letters, 1+g.Intn(4))
	}
	return out
}

func (g generator) path() string {
	var out string
	for i := g.Intn(4); i >= 0; i-- {
		out += g.segment()
		if i > 0 {
			out += "/"
		}
	}
	return out
}

func (g generator) segment() string {
	out := g.soup(lower+digits, 1+g.Intn(6))
	for g.chance(30) {
		out += []string{".", "_", "__", "-", "--", "-----"}[g.Intn(6)] + g.soup(lower+digits, 1+g.Intn(4))
	}
	return out
}

func (g generator) tag() string {
	return g.pick(lower+upper+digits+"_") + g.soup(lower+upper+digits+"_.-", g.Intn(12))
}

func (g generator) digest() string {
	switch g.Intn(4) {
	case 0:
		return "sha384:" + g.soup(hex, 96)
	case 1:
		return "sha512:" + g.soup(hex, 128)
	default:
		return "sha256:" + g.soup(hex, 64)
	}
}

// oddDigest is wrong by algorithm, length or letters more often than not.
func (g generator) oddDigest() string {
	algorithm := []string{
		"sha256", "sha256", "sha384", "sha512", "sha1", "md5", "SHA256", "Sha512", "sha224", "sha256+b64", "blake3", "", "sha-256",
		"sha256.", "2sha", "sha_512", "a+b.c-d_e",
	}[g.Intn(17)]
	size := []int{0, 1, 31, 32, 40, 63, 64, 64, 64, 65, 95, 96, 96, 97, 127, 128, 128, 129, 256}[g.Intn(19)]
	letters := []string{hex, hex, hex, hex + "ABCDEF", hex + "g", hex + "-_="}[g.Intn(6)]
	separator := []string{":", ":", ":", ":", ":", ":", "", "::", "-"}[g.Intn(9)]
	out := algorithm + separator + g.soup(letters, size)
	if g.chance(10) {
		out += []string{":tag", "@" + g.digest(), "/a", " ", "\r"}[g.Intn(5)]
	}
	return out
}

// oddHost is what looks like a host and often is none.
func (g generator) oddHost() string {
	switch g.Intn(6) {
	case 0:
		return "[" + g.soup(hex+"ABCDEF:.%gz", g.Intn(24)) + "]" + []string{"", ":", ":5000", ":x", "::1", "5000"}[g.Intn(6)]
	case 1:
		return g.domainComponent() + "_" + g.domainComponent() + "." + g.domainComponent()
	case 2:
		return g.host() + []string{".", "-", ":", "_", ":0x1", ":-1", "@", "]", "[", ":1:2"}[g.Intn(10)]
	case 3:
		return g.soup("aA1.-_", 1+g.Intn(7))
	case 4:
		return g.segment() + "." + g.segment()
	default:
		return fragments[g.Intn(len(fragments))] + g.host()
	}
}

// long stands at the limits of 255 bytes of path and 128 of tag.
func (g generator) long() string {
	size := 238 + g.Intn(22)
	var path string
	for len(path) < size-1 {
		path += g.soup(lower+digits, 1+g.Intn(40)) + []string{"/", "-", ".", "_"}[g.Intn(4)]
	}
	path = path[:size-1] + g.pick(lower)
	if g.chance(40) {
		path = strings.NewReplacer("/", "a").Replace(path)
	}
	out := []string{"", "", "a.b/", "docker.io/", "index.docker.io/", "localhost/", "a_b.c/"}[g.Intn(7)] + path
	if g.chance(50) {
		out += ":" + g.pick(lower+digits+"_") + g.soup(lower+digits+"_.-", 120+g.Intn(12))
	}
	return out
}

// mutated makes one to three small changes.
func (g generator) mutated(text string) string {
	for i := g.Intn(3); i >= 0; i-- {
		text = g.change(text)
	}
	return text
}

func (g generator) change(text string) string {
	at := g.Intn(len(text) + 1)
	end := at
	if at < len(text) {
		end = at + 1
	}
	switch g.Intn(9) {
	case 0: // insert a sign
		return text[:at] + g.pick(signs) + text[at:]
	case 1: // insert a letter
		return text[:at] + g.pick(lower+upper+digits) + text[at:]
	case 2: // insert mischief
		return text[:at] + g.pick(mischief) + text[at:]
	case 3: // insert a fragment
		return text[:at] + fragments[g.Intn(len(fragments))] + text[at:]
	case 4: // drop a byte
		return text[:at] + text[end:]
	case 5: // replace a byte
		return text[:at] + g.pick(lower+upper+digits+signs) + text[end:]
	case 6: // double a piece
		stop := at + g.Intn(len(text)-at+1)
		return text[:stop] + text[at:stop] + text[stop:]
	case 7: // cut off
		if g.chance(50) {
			return text[:at]
		}
		return text[at:]
	default: // change the case of a piece
		stop := at + g.Intn(len(text)-at+1)
		if g.chance(50) {
			return text[:at] + strings.ToUpper(text[at:stop]) + text[stop:]
		}
		return text[:at] + strings.ToLower(text[at:stop]) + text[stop:]
	}
}
