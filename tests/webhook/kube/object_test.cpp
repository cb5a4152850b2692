#include "webhook/kube/object.h"

#include <doctest/doctest.h>

using namespace belay::webhook::kube;

TEST_CASE("an object is read with its names, versions, labels, annotations and data") {
  const auto object = read_object(R"({"kind":"ConfigMap","apiVersion":"v1","metadata":{
      "namespace":"belay-system","name":"p","uid":"u","resourceVersion":"7","managedFields":[{}],
      "labels":{"a":"b"},"annotations":{"c":"d"}},"data":{"p.yaml":"x: 1\n"}})");
  REQUIRE(object);
  CHECK(object->namespace_name == "belay-system");
  CHECK(object->name == "p");
  CHECK(object->uid == "u");
  CHECK(object->resource_version == "7");
  CHECK(object->labels.at("a") == "b");
  CHECK(object->annotations.at("c") == "d");
  CHECK(object->data.at("p.yaml") == "x: 1\n");
}

TEST_CASE("a Secret's data is decoded, alone and in a list, whose items do not say their kind") {
  const auto one =
      read_object(R"({"kind":"Secret","metadata":{"name":"s"},"data":{"k":"AP8hPw=="}})");
  REQUIRE(one);
  CHECK(one->data.at("k") == std::string("\0\xff!?", 4));
  const auto list = read_list(R"({"kind":"SecretList","metadata":{"resourceVersion":"3",
      "continue":"more"},"items":[{"metadata":{"name":"s"},"data":{"k":"aGVsbG8="}}]})");
  REQUIRE(list);
  CHECK(list->items.at(0).data.at("k") == "hello");
  CHECK(list->resource_version == "3");
  CHECK(list->continue_token == "more");
  CHECK_FALSE(read_object(R"({"kind":"Secret","metadata":{"name":"s"},"data":{"k":"*"}})"));
}

TEST_CASE("what is not an object, a list or an event is reported as such") {
  const char* const broken[] = {"",
                                "{",
                                "null",
                                "[1]",
                                "\"text\"",
                                "{}",
                                "\xff",
                                R"({"metadata":{}})",
                                R"({"metadata":[],"items":{}})",
                                R"({"metadata":{"name":1}})",
                                R"({"metadata":{"name":"a","labels":{"a":1}}})",
                                R"({"metadata":{"name":"a","labels":[]}})",
                                R"({"type":"ADDED"})",
                                R"({"type":"ADDED","object":{"metadata":{}}})",
                                R"({"type":"BOOKMARK","object":{"metadata":{}}})",
                                R"({"type":"added","object":{"metadata":{"name":"a"}}})"};
  for (const char* text : broken) {
    CAPTURE(text);
    CHECK_FALSE(read_object(text));
    CHECK_FALSE(read_list(text));
    const auto event = read_watch_event(text);
    REQUIRE_FALSE(event);
    CHECK(event.error() != "");
  }
}

TEST_CASE("an empty list has no items, or null") {
  for (const char* text : {R"({"metadata":{"resourceVersion":"1"},"items":[]})",
                           R"({"metadata":{"resourceVersion":"1"},"items":null})"}) {
    const auto list = read_list(text);
    REQUIRE(list);
    CHECK(list->items.empty());
  }
}

TEST_CASE("an error event tells the Status' code and message") {
  const auto event = read_watch_event(
      R"({"type":"ERROR","object":{"kind":"Status","code":410,"message":"too old","status":"Failure"}})");
  REQUIRE(event);
  CHECK(event->type == WatchEvent::Type::kError);
  CHECK(event->code == 410);
  CHECK(event->message == "too old");
}

TEST_CASE("deep nesting is read or refused, and breaks nothing") {
  const std::string deep(200'000, '[');
  CHECK_FALSE(read_object(deep));
  CHECK_FALSE(read_watch_event(deep + std::string(200'000, ']')));
  const auto object =
      read_object(R"({"metadata":{"name":"a"},"spec":)" + deep + std::string(200'000, ']') + "}");
  CHECK((object || object.error() != ""));
}
