// Compares belay's reader of image references with Go's distribution/reference, which is what
// container runtimes read them with.
//
//	conformance generate [-count N] [-seed S]    references, one a line
//	conformance oracle                           lines on standard input -> JSON lines
//	conformance compare -belay PROGRAM [-count N] [-seed S]
//
// compare runs "PROGRAM image - --output json" over the generated references, and exits 1 where
// an answer differs from the oracle's.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
)

const maxShown = 10 // disagreements that are printed

func main() {
	if len(os.Args) < 2 {
		fail(errors.New("usage: conformance generate|oracle|compare"))
	}
	flags := flag.NewFlagSet(os.Args[1], flag.ExitOnError)
	count := flags.Int("count", 100000, "references to generate")
	seed := flags.Int64("seed", 20250405, "seed of the generator")
	belay := flags.String("belay", "belay", "program to compare with")
	_ = flags.Parse(os.Args[2:])

	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	switch os.Args[1] {
	case "generate":
		for _, input := range generate(*seed, *count) {
			fmt.Fprintln(out, input)
		}
	case "oracle":
		encoder := json.NewEncoder(out)
		encoder.SetEscapeHTML(false)
		lines := bufio.NewReader(os.Stdin)
		for {
			line, err := lines.ReadString('\n')
			if err == nil || line != "" {
				_ = encoder.Encode(explain(strings.TrimSuffix(line, "\n")))
			}
			if err != nil {
				break
			}
		}
	case "compare":
		disagreements, valid, err := compare(out, *belay, generate(*seed, *count))
		if err != nil {
			fail(err)
		}
		fmt.Fprintf(out, "%d references, %d of them valid: %d disagreements\n", *count, valid, disagreements)
		if disagreements != 0 {
			out.Flush()
			os.Exit(1)
		}
	default:
		fail(fmt.Errorf("unknown command %q", os.Args[1]))
	}
}

// compare returns how many answers differ and how many references are valid.
func compare(out io.Writer, belay string, inputs []string) (disagreements, valid int, err error) {
	command := exec.Command(belay, "image", "-", "--output", "json")
	command.Stdin = strings.NewReader(strings.Join(inputs, "\n") + "\n")
	command.Stderr = os.Stderr
	answer, err := command.Output()
	var exit *exec.ExitError
	if err != nil && !(errors.As(err, &exit) && exit.ExitCode() == 1) { // 1: some are invalid
		return 0, 0, fmt.Errorf("%s image: %w", belay, err)
	}
	lines := bytes.Split(bytes.TrimSuffix(answer, []byte("\n")), []byte("\n"))
	if len(lines) != len(inputs) {
		return 0, 0, fmt.Errorf("%d references got %d answers", len(inputs), len(lines))
	}
	for i, input := range inputs {
		expected := explain(input)
		var got explanation
		if err := json.Unmarshal(lines[i], &got); err != nil {
			return 0, 0, fmt.Errorf("%q: %w in %q", input, err, lines[i])
		}
		if expected.Valid {
			valid++
		}
		if expected.agrees(got) {
			continue
		}
		if disagreements++; disagreements <= maxShown {
			want, _ := json.Marshal(expected)
			fmt.Fprintf(out, "%q\n  reference: %s\n  belay:     %s\n", input, want, lines[i])
		}
	}
	return disagreements, valid, nil
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "conformance:", err)
	os.Exit(2)
}
