package main

import (
	// go-digest knows an algorithm only where its hash is linked in.
	_ "crypto/sha256"
	_ "crypto/sha512"

	"github.com/distribution/reference"
)

// explanation is a line of "belay image --output json", as far as both sides know it. What is
// absent is null.
type explanation struct {
	Input      string  `json:"input"`
	Valid      bool    `json:"valid"`
	Registry   *string `json:"registry"`
	Repository *string `json:"repository"`
	Tag        *string `json:"tag"`
	Digest     *string `json:"digest"`
	Canonical  *string `json:"canonical"`
}

func explain(input string) explanation {
	out := explanation{Input: input}
	named, err := reference.ParseNormalizedNamed(input)
	if err != nil {
		return out
	}
	out.Valid = true
	out.Registry = text(reference.Domain(named))
	out.Repository = text(reference.Path(named))
	out.Canonical = text(named.String())
	if tagged, ok := named.(reference.Tagged); ok {
		out.Tag = text(tagged.Tag())
	}
	if digested, ok := named.(reference.Digested); ok {
		out.Digest = text(digested.Digest().String())
	}
	return out
}

// agrees compares everything but the input, whose bytes JSON may not be able to carry.
func (e explanation) agrees(other explanation) bool {
	return e.Valid == other.Valid && same(e.Registry, other.Registry) &&
		same(e.Repository, other.Repository) && same(e.Tag, other.Tag) &&
		same(e.Digest, other.Digest) && same(e.Canonical, other.Canonical)
}

func same(a, b *string) bool {
	return a == b || (a != nil && b != nil && *a == *b)
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
