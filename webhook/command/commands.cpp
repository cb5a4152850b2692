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
         "Responds to AdmissionReviews over HTTPS according to the policies. Without options it "
         "uses a built-in policy (tag-required and mutable-tag, enforced) and a self-signed "
         "certificate in memory, and says so in its log.\n\n"
         "After SIGTERM, readiness fails at once, responses carry Connection: close, and the port "
         "closes after --shutdown-delay; a second SIGTERM ends sooner. SIGHUP reads policies and "
         "certificate again at once. Options that are not given are read from the environment.",
     .example = "belay serve --self-signed certs --policy policies/\n"
                "belay serve --tls-cert tls.crt --tls-key tls.key --policy production.yaml\n"
                "# To try it out: free ports, nothing is stored\n"
                "belay serve --listen 127.0.0.1:0 --admin-listen 127.0.0.1:0",
     .define = define_serve},
    {.name = "check",
     .summary = "evaluates manifests as the webhook would",
     .description =
         "Reads multi-document YAML, JSON and lists from files, directories (with everything below "
         "them) or standard input. Every object with pods in it is evaluated as if it were "
         "created. Other kinds are counted and skipped. In a directory, YAML that is not a "
         "Kubernetes object is skipped, too.\n\n"
         "A namespace has the labels from --namespace-labels or from a Namespace object among the "
         "manifests. If no policy matches a namespace, nothing is evaluated in it, and a note says "
         "so. check does not pin tags: run belay pin first if a policy has digest-required.\n\n"
         "Rules that need a registry only warn. With --resolve they ask the registries of "
         "--registries, at most 8 requests at a time.\n\n"
         "Each finding is one line that starts with file, line and column. The exit status is 1 if "
         "there is a finding of mode enforce, and 2 if something cannot be read.",
     .example = "belay check --policy policy.yaml -f deploy.yaml\n"
                "# A whole directory, for a namespace with a label\n"
                "belay check -p policies/ -f manifests/ --namespace-labels shop:environment=prod\n"
                "# Rules that ask registries, too, and the digest of each refused tag\n"
                "belay check -p policies/ -f manifests/ --resolve --registries registries.yaml\n"
                "# What a chart would install, for programs\n"
                "helm template charts/shop | belay check -p policies/ -f - --output json",
     .define = define_check},
    {.name = "pin",
     .summary = "adds digests to the tags in manifests",
     .description =
         "Asks registries for the digest of each image's tag and writes it after the tag: "
         "registry.corp/web:v1 becomes registry.corp/web:v1@sha256:0a1b... Every other byte of the "
         "file stays the same, including comments, order and line endings. Images with a digest "
         "keep it, so a second run changes nothing. Images without a tag are reported and left "
         "alone.\n\n"
         "A single file is printed as a whole on standard output. For several files or a "
         "directory, a unified diff is printed for patch -p1 or git apply. --write changes the "
         "files in place instead, and only files whose images were all resolved. --check lists "
         "images without a digest and exits with 1 if there are any; with --registries it also "
         "says what to write, and mentions tags that now point to another digest.\n\n"
         "Only registries of --registries are contacted, at most 8 requests at a time. The exit "
         "status is 2 if something cannot be read or resolved.",
     .example = "belay pin --registries registries.yaml -f deploy.yaml | kubectl apply -f -\n"
                "# A whole directory, in place\n"
                "belay pin --registries registries.yaml -f manifests/ --write\n"
                "# In CI, without a network\n"
                "belay pin -f manifests/ --check",
     .define = define_pin},
    {.name = "review",
     .summary = "responds to one AdmissionReview as the webhook would",
     .description =
         "Reads an AdmissionReview from standard input and writes the response to standard output, "
         "with the same code as the server. The exit status is 1 on a denial; warnings do not "
         "count. If the input is not an AdmissionReview, the text of the server's 4xx response "
         "goes to standard error, and the exit status is 2.",
     .example = "belay review --policy policy.yaml < review.json\n"
                "belay review --policy policies/ --namespace-labels shop:environment=prod "
                "< review.json",
     .define = define_review},
    {.name = "lint",
     .summary = "reads policies and reports every error with line and column",
     .description =
         "Reads policies as strictly as the server and reports all errors at once, each with its "
         "position, its path and what to write instead. In ConfigMap manifests it reads the "
         "policies that they contain, and errors point into the manifest. Notes mention exemptions "
         "that have ended or end within 14 days, and settings without effect; they do not change "
         "the exit status. It is 1 if a policy has errors and 2 if a file cannot be read.\n\n"
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
         "Shows how a reference is read: its registry, repository, tag and digest, and its "
         "canonical form. Nothing is trimmed or corrected, and no registry is asked.\n\n"
         "With --output json each reference is one object on a line of its own: input, valid, "
         "registry, repository, tag, digest, canonical, error; what is absent is null. The exit "
         "status is 1 if a reference is not valid.",
     .example = "belay image nginx\n"
                "belay image registry.corp:5000/shop/web:v1.4.2-prod\n"
                "# One reference per line, for scripts\n"
                "belay image - --output json < references.txt",
     .define = define_image},
    {.name = "tag-history",
     .summary = "shows and clears the tag history",
     .description =
         "The rule tag-moved compares the digest of a tag with the digest that the tag had when it "
         "was first admitted. belay stores that in the ConfigMaps belay-tag-history-* of its "
         "namespace, or in the file of belay serve --tag-history. Clear a tag that was moved on "
         "purpose: its next admission counts as its first. No registry is asked.\n\n"
         "clear prints what it removed, and exits with 1 if there was nothing to remove.",
     .example =
         "belay tag-history list\n"
         "belay tag-history list registry.corp:5000/shop/web nginx:1.27 --output json\n"
         "belay tag-history list --tag-history tags.txt --short\n"
         "# web:v2 was built again on purpose\n"
         "belay tag-history clear registry.corp:5000/shop/web:v2\n"
         "belay tag-history clear --all-of registry.corp:5000/shop/web --tag-history tags.txt",
     .define = define_tag_history},
    {.name = "certs",
     .summary = "creates, shows and renews the serving certificate",
     .description =
         "Keeps a CA and a serving certificate (ECDSA P-256) in a directory, as ca.crt, ca.key, "
         "tls.crt and tls.key. Files that are still valid are kept. belay serve --self-signed does "
         "the same, and renews a certificate after two thirds of its validity.\n\n"
         "show exits with 1 if a certificate is not valid now, or if the entries of a Secret do "
         "not belong together.",
     .example = "belay certs create --dir certs --name belay.belay-system.svc\n"
                "belay certs show certs\n"
                "belay certs show --ca-bundle certs   # for clientConfig.caBundle\n"
                "# The certificate of a cluster's replicas\n"
                "kubectl get secret belay-tls -n belay-system -o json | belay certs show -\n"
                "belay certs renew --dir certs",
     .define = define_certs},
    {.name = "probe",
     .summary = "tests whether the cluster refuses a :latest image",
     .description =
         "Asks the API server, in a dry run, to create a pod with a :latest image, and shows what "
         "belay's webhook did. This tests the whole path, including certificates and endpoints. "
         "The chart's `helm test` runs it. A policy of mode warn admits the pod with a warning; "
         "--expect warned tests that.\n\n"
         "The exit status is 0 if the result is the expected one, 1 if it is another one, and 2 if "
         "the API server cannot be asked or something else refused the pod.",
     .example = "belay probe --namespace shop\n"
                "# While the policies only warn\n"
                "belay probe --kubeconfig ~/.kube/config --namespace shop --expect warned",
     .define = define_probe},
    {.name = "completion",
     .summary = "prints the completion for bash or zsh",
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
