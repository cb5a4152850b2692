// The stand-in: the decision of data/policy.yaml (tag-required, mutable-tag, environment-label) as
// one would write it in Go with net/http and encoding/json.
//
// usage: standin ADDRESS CERTIFICATE KEY
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
	"path"
	"strings"
)

type container struct {
	Name  string `json:"name"`
	Image string `json:"image"`
}

type review struct {
	APIVersion string `json:"apiVersion"`
	Kind       string `json:"kind"`
	Request    struct {
		UID       string `json:"uid"`
		Namespace string `json:"namespace"`
		Operation string `json:"operation"`
		Object    struct {
			Metadata struct {
				Name   string            `json:"name"`
				Labels map[string]string `json:"labels"`
			} `json:"metadata"`
			Spec struct {
				InitContainers      []container `json:"initContainers"`
				Containers          []container `json:"containers"`
				EphemeralContainers []container `json:"ephemeralContainers"`
			} `json:"spec"`
		} `json:"object"`
	} `json:"request"`
}

type status struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
}

type response struct {
	UID     string  `json:"uid"`
	Allowed bool    `json:"allowed"`
	Status  *status `json:"status,omitempty"`
}

type answer struct {
	APIVersion string   `json:"apiVersion"`
	Kind       string   `json:"kind"`
	Response   response `json:"response"`
}

var mutable = strings.Fields(`latest stable edge nightly dev develop devel main master trunk head
	current release prod production staging stage test testing qa uat canary preview rolling
	unstable experimental next lts *-latest latest-* *-snapshot`)

var environments = map[string]bool{"dev": true, "test": true, "prod": true}

// tagOf is the text behind the last colon of the last segment.
func tagOf(image string) (tag string, digest bool) {
	if at := strings.Index(image, "@"); at >= 0 {
		image, digest = image[:at], true
	}
	last := image[strings.LastIndex(image, "/")+1:]
	if colon := strings.LastIndex(last, ":"); colon >= 0 {
		tag = last[colon+1:]
	}
	return tag, digest
}

func judge(r *review) []string {
	var problems []string
	spec := &r.Request.Object.Spec
	for _, list := range [][]container{spec.InitContainers, spec.Containers, spec.EphemeralContainers} {
		for _, c := range list {
			tag, digest := tagOf(c.Image)
			if digest {
				continue
			}
			if tag == "" {
				problems = append(problems, fmt.Sprintf("%s: %q has no tag", c.Name, c.Image))
			}
			for _, pattern := range mutable {
				if ok, _ := path.Match(pattern, strings.ToLower(tag)); ok {
					problems = append(problems, fmt.Sprintf("%s: %q can move", c.Name, c.Image))
					break
				}
			}
		}
	}
	if !environments[r.Request.Object.Metadata.Labels["environment"]] {
		problems = append(problems, "no environment label")
	}
	return problems
}

func validate(w http.ResponseWriter, request *http.Request) {
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, 8<<20))
	if err != nil {
		http.Error(w, "too large", http.StatusRequestEntityTooLarge)
		return
	}
	var r review
	if err := json.Unmarshal(body, &r); err != nil || r.Request.UID == "" {
		http.Error(w, "no review", http.StatusBadRequest)
		return
	}
	a := answer{"admission.k8s.io/v1", "AdmissionReview", response{UID: r.Request.UID, Allowed: true}}
	if problems := judge(&r); len(problems) > 0 {
		a.Response.Allowed = false
		a.Response.Status = &status{http.StatusForbidden, strings.Join(problems, "\n")}
	}
	text, err := json.Marshal(a)
	if err != nil {
		http.Error(w, "internal", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(text); err != nil {
		log.Print(err)
	}
}

func main() {
	if len(os.Args) != 4 {
		log.Fatal("usage: standin ADDRESS CERTIFICATE KEY")
	}
	http.HandleFunc("/validate", validate)
	log.Fatal(http.ListenAndServeTLS(os.Args[1], os.Args[2], os.Args[3], nil))
}
