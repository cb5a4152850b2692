// The table of subcommands. Adding one touches its own file, its row here, its test and its line of
// documentation; help, completion and the man page follow from the row.
#include <algorithm>

#include "webhook/command/command.h"

namespace belay::webhook::command {
namespace {

constexpr Command kCommands[] = {
    {.name = "serve",
     .summary = "runs the webhook",
     .description =
         "Answers AdmissionReviews over HTTPS by the policies given. With nothing given it serves "
         "a built-in policy (tag-required and mutable-tag enforced) with a self-signed certificate "
         "in memory, and says so.\n\n"
         "SIGTERM drains: readiness fails at once, answers carry Connection: close, and the port "
         "closes after --shutdown-delay; a second SIGTERM ends sooner. SIGHUP looks at policies "
         "and certificate at once. Flags that are not given are read from the environment.",
     .example = "belay serve --self-signed certs --policy policies/\n"
                "belay serve --tls-cert tls.crt --tls-key tls.key --policy production.yaml\n"
                "# For trying out: free ports, nothing kept\n"
                "belay serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0",
     .define = define_serve},
    {.name = "check",
     .summary = "judges manifests as the webhook would",
     .description =
         "Reads multi-document YAML, JSON and lists, from files, from directories with all below "
         "them, or from standard input. Every object of a kind with pods in it is judged as if it "
         "were created; other kinds are counted and passed over, and so is what a directory holds "
         "of YAML that is no Kubernetes object. Namespaces have the labels that "
         "--namespace-labels or Namespace objects among the manifests give them, else none; "
         "where no policy matches a namespace, nothing is judged in it, and a note says so.\n\n"
         "Rules that ask registries say so in a warning, until --resolve has them asked: only "
         "those that --registries lists, at most 8 questions at once.\n\n"
         "Each finding is one line that starts with file, line and column. The exit status is 1 "
         "where a finding of mode enforce remains, 2 where something could not be read.",
     .example = "belay check --policy policy.yaml -f deploy.yaml\n"
                "# A whole directory, for a namespace that is labelled\n"
                "belay check -p policies/ -f manifests/ --namespace-labels shop:environment=prod\n"
                "# Image labels and moved tags, too, and the digest of each refused tag\n"
                "belay check -p policies/ -f manifests/ --resolve --registries registries.yaml\n"
                "# What a chart would install, for programs\n"
                "helm template charts/shop | belay check -p policies/ -f - --output json",
     .define = define_check},
    {.name = "pin",
     .summary = "puts digests behind the tags of manifests",
     .description =
         "Asks registries which digest each image's tag points to, and writes it behind the tag: "
         "registry.corp/web:v1 becomes registry.corp/web:v1@sha256:0a1b... and every other byte of "
         "the file stays as it was, comments, order and line ends included. Images that have a "
         "digest keep it, so a second run changes nothing; images without a tag are told and left "
         "alone.\n\n"
         "A single file comes out whole on standard output, as from sed or kustomize; of several "
         "files or a directory, a unified diff for patch -p1 or git apply. --write changes the "
         "files in place instead, each at once and only where all its images were resolved. "
         "--check lists what has no digest and exits with 1 where there is any; with --registries "
         "it asks, tells what to write, and notes tags that point elsewhere by now.\n\n"
         "Only registries of --registries are contacted, at most 8 questions at once. The exit "
         "status is 2 where something could not be read or resolved.",
     .example = "belay pin --registries registries.yaml -f deploy.yaml | kubectl apply -f -\n"
                "# A whole directory, in place\n"
                "belay pin --registries registries.yaml -f manifests/ --write\n"
                "# In CI, without a network\n"
                "belay pin -f manifests/ --check",
     .define = define_pin},
    {.name = "review",
     .summary = "answers one AdmissionReview as the webhook would",
     .description =
         "Reads an AdmissionReview from standard input and writes the answer to standard output, "
         "through the server's own code path. The exit status is 1 on a denial; warnings do not "
         "count. Input that is no AdmissionReview is an error: the text of the 4xx answer goes to "
         "standard error, and the exit status is 2.",
     .example = "belay review --policy policy.yaml < review.json\n"
                "belay review --policy policies/ --namespace-labels shop:environment=prod "
                "< review.json",
     .define = define_review},
    {.name = "lint",
     .summary = "reads policies and reports every error with line and column",
     .description =
         "Reads policies as the server does: strictly, every error at once, each with its place, "
         "its path and what to write instead. ConfigMap manifests are read for the policies they "
         "hold, and errors point into the manifest. Notes tell of exemptions that have ended or "
         "end within 14 days, and of settings that say nothing; they don't change the exit "
         "status, which is 1 where a policy has errors and 2 where a file cannot be read.\n\n"
         "--schema prints a JSON Schema with which editors complete and check policy files.",
     .example = "belay lint policies/\n"
                "belay lint production.yaml configmap.yaml --output json\n"
                "# A policy of the cluster\n"
                "kubectl get configmap production -n belay-system -o yaml | belay lint -\n"
                "belay lint --schema > policy.schema.json",
     .define = define_lint},
    {.name = "image",
     .summary = "explains an image reference",
     .description =
         "Shows how a reference is read: which registry and repository it names, which tag and "
         "digest, and its canonical form. Nothing is trimmed or corrected, and no registry is "
         "asked.\n\n"
         "With --output json each reference is one object on a line of its own: input, valid, "
         "registry, repository, tag, digest, canonical, error; what is absent is null. The exit "
         "status is 1 where a reference is not valid.",
     .example = "belay image nginx\n"
                "belay image registry.corp:5000/shop/web:v1.4.2-prod\n"
                "# One a line, for scripts\n"
                "belay image - --output json < references.txt",
     .define = define_image},
    {.name = "tag-history",
     .summary = "shows and clears the tag history",
     .description =
         "The rule tag-moved compares what a tag points to with what it pointed to when it was "
         "first admitted. belay remembers that in the ConfigMaps belay-tag-history-* of its "
         "namespace, or in the file of belay serve --tag-history. A tag that was moved on purpose "
         "is cleared here: its next admission counts as its first. No registry is asked.\n\n"
         "clear says what it forgot, and exits with 1 where there was nothing to forget.",
     .example =
         "belay tag-history list\n"
         "belay tag-history list registry.corp:5000/shop/web nginx:1.27 --output json\n"
         "belay tag-history list --tag-history tags.txt --short\n"
         "# web:v2 was rebuilt, and that is all right\n"
         "belay tag-history clear registry.corp:5000/shop/web:v2\n"
         "belay tag-history clear --all-of registry.corp:5000/shop/web --tag-history tags.txt",
     .define = define_tags},
    {.name = "certs",
     .summary = "creates, shows and renews the serving certificate",
     .description =
         "Keeps a CA and a serving certificate (ECDSA P-256) in a directory, as ca.crt, ca.key, "
         "tls.crt and tls.key. What is valid is kept; belay serve --self-signed does the same, and "
         "renews after two thirds of a certificate's life.\n\n"
         "show exits with 1 where a certificate is not valid now, or where those of a Secret do "
         "not "
         "fit together.",
     .example = "belay certs create --dir certs --name belay.belay-system.svc\n"
                "belay certs show certs\n"
                "belay certs show --ca-bundle certs   # for clientConfig.caBundle\n"
                "# What a cluster's replicas serve\n"
                "kubectl get secret belay-tls -n belay-system -o json | belay certs show -\n"
                "belay certs renew --dir certs",
     .define = define_certs},
    {.name = "probe",
     .summary = "asks the cluster whether it refuses a :latest image",
     .description =
         "Asks the API server, in a dry run, to create a pod with a :latest image, and says "
         "whether belay's webhook denied it: a test of the whole way, certificates and endpoints "
         "included. The chart's `helm test` runs it.\n\n"
         "The exit status is 0 where the pod was denied by belay, 1 where it was admitted, and 2 "
         "where nobody could be asked or somebody else refused.",
     .example = "belay probe --kubeconfig ~/.kube/config --namespace shop",
     .define = define_probe},
    {.name = "completion",
     .summary = "prints the completion of bash or zsh",
     .description = "",
     .example = "source <(belay completion bash)\n"
                "belay completion zsh > ~/.zfunc/_belay",
     .define = define_completion},
    {.name = "version",
     .summary = "prints version, commit and libraries",
     .description = "",
     .example = "belay version\nbelay version --output json",
     .define = define_version},
    {.name = "man",
     .summary = "prints the man page",
     .description = "",
     .example = "belay man | man -l -",
     .define = define_man,
     .hidden = true},
};

}  // namespace

std::span<const Command> commands() { return kCommands; }

const Command* find_command(std::string_view name) {
  const auto* const found = std::ranges::find(kCommands, name, &Command::name);
  return found == std::end(kCommands) ? nullptr : found;
}

}  // namespace belay::webhook::command
