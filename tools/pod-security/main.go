// Checks pods against the "restricted" level of the Pod Security Standards with the code of the admission plugin
// itself: pod-security MINOR reads manifests on stdin and writes one line for each pod that MINOR would not admit.
// The exit status is 1 if there is one, 2 if the manifests cannot be read.
package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	yamldocs "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
	"sigs.k8s.io/yaml"
)

func main() {
	refused, err := check(os.Args[1:], os.Stdin)
	if err != nil {
		fmt.Fprintln(os.Stderr, "pod-security:", err)
		os.Exit(2)
	}
	if refused {
		os.Exit(1)
	}
}

func check(args []string, manifests io.Reader) (refused bool, err error) {
	if len(args) != 1 {
		return false, errors.New("usage: pod-security MINOR < manifests, for example: pod-security v1.34")
	}
	version, err := api.ParseVersion(args[0])
	if err != nil {
		return false, err
	}
	evaluator, err := policy.NewEvaluator(policy.DefaultChecks(), nil)
	if err != nil {
		return false, err
	}
	restricted := api.LevelVersion{Level: api.LevelRestricted, Version: version}

	documents := yamldocs.NewYAMLReader(bufio.NewReader(manifests))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return refused, nil
		}
		if err != nil {
			return refused, err
		}
		name, meta, spec, err := podOf(document)
		if err != nil {
			return refused, err
		}
		if spec == nil {
			continue
		}
		verdict := policy.AggregateCheckResults(evaluator.EvaluatePod(restricted, meta, spec))
		if verdict.Allowed {
			fmt.Println(name, "admitted")
			continue
		}
		refused = true
		fmt.Println(name, "refused:", verdict.ForbiddenDetail())
	}
}

// podOf gives the pod that a document is or makes; its spec is nil for a document that makes none.
func podOf(document []byte) (name string, meta *metav1.ObjectMeta, spec *corev1.PodSpec, err error) {
	var head struct {
		metav1.TypeMeta   `json:",inline"`
		metav1.ObjectMeta `json:"metadata"`
	}
	if err := yaml.Unmarshal(document, &head); err != nil {
		return "", nil, nil, err
	}
	name = head.Kind + "/" + head.Name
	var template *corev1.PodTemplateSpec
	switch head.Kind {
	case "Pod":
		var pod corev1.Pod
		err = yaml.UnmarshalStrict(document, &pod)
		return name, &pod.ObjectMeta, &pod.Spec, err
	case "Deployment":
		var one appsv1.Deployment
		err, template = yaml.UnmarshalStrict(document, &one), &one.Spec.Template
	case "StatefulSet":
		var one appsv1.StatefulSet
		err, template = yaml.UnmarshalStrict(document, &one), &one.Spec.Template
	case "DaemonSet":
		var one appsv1.DaemonSet
		err, template = yaml.UnmarshalStrict(document, &one), &one.Spec.Template
	case "Job":
		var one batchv1.Job
		err, template = yaml.UnmarshalStrict(document, &one), &one.Spec.Template
	case "CronJob":
		var one batchv1.CronJob
		err, template = yaml.UnmarshalStrict(document, &one), &one.Spec.JobTemplate.Spec.Template
	default:
		return name, nil, nil, nil
	}
	return name, &template.ObjectMeta, &template.Spec, err
}
