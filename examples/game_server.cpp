// A game server in C++, with hiredis: it enqueues its players, takes matches and plays them.
//
//   apt-get install g++ libhiredis-dev nlohmann-json3-dev
//   g++ -std=c++17 -o game_server examples/game_server.cpp -lhiredis
//   REDIS_URL=redis://localhost:6379 POD_ID=pod-a ./game_server
//   {"enqueue": {"player_id": "alice", "game_mode": "Squad", "metadata": {"mmr": 1500}}}
//
// `matchkeeper conformance -- ./game_server` tries it on good and bad evenings. It needs no time to get ready, so it
// claims and confirms in one, with `start`.
#include <hiredis/hiredis.h>
#include <poll.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>

using nlohmann::json;
using Clock = std::chrono::steady_clock;

struct Request { std::string kind, body; };

const std::string pod = getenv("POD_ID"), result = "pod:" + pod + ":match_result";
std::map<std::string, Request> open_;  // what was asked and is not answered yet
std::set<std::string> running;         // matches
std::set<std::string> waiting;         // players of whom news is to come
std::map<std::string, json> told;      // player -> the match that was told last
redisContext *commands = nullptr, *heard = nullptr;

redisContext *connected() {
    char host[256];
    int port = 6379;
    sscanf(getenv("REDIS_URL"), "redis://%255[^:/]:%d", host, &port);
    redisContext *context = redisConnectWithTimeout(host, port, {2, 0});
    if (context && !context->err && redisSetTimeout(context, {2, 0}) == REDIS_OK) return context;
    redisFree(context);
    return nullptr;
}

void send(const Request &request) {  // where that fails it is sent again, in a second
    if (!commands && !(commands = connected())) return;
    void *reply = redisCommand(commands, "XADD match:requests NOMKSTREAM * kind %s body %b", request.kind.c_str(),
                               request.body.data(), request.body.size());
    if (reply) return freeReplyObject(reply);
    redisFree(commands);
    commands = nullptr;
}

void ask(const std::string &name, const std::string &kind, const json &body) {
    send(open_[name] = {kind, body.dump()});
}

void offered(const json &offer) {
    const std::string match = offer.at("match_id");
    const int epoch = offer.at("epoch");
    const std::string token = match + "-" + std::to_string(epoch);  // the same each time that it is sent
    if (!running.count(match))
        ask(token, "handoff", {{"kind", "start"}, {"pod_id", pod}, {"game_mode", offer.at("game_mode")},
                               {"match_id", match}, {"epoch", epoch}, {"token", token}});
}

void answered(const json &answer) {
    json said = answer.at("result_type");
    if (said.is_object() && said.contains("Handoff")) {
        const json &came = said["Handoff"];
        if (open_.erase(came.at("token")) && came.at("reply") == "started") {
            running.insert(answer.at("match_id"));
            std::cout << json{{"started", answer["match_id"]}} << std::endl;
        }
        return;
    }
    const std::string player = answer.at("player_id");
    if (said.is_object() && said.contains("Status")) {
        open_.erase("status " + player);
        if (!waiting.count(player) || !said["Status"].contains("news")) return;  // nothing was missed
        said = json(said["Status"]["news"]);
    }
    std::string news = said.is_string() ? said.get<std::string>() : said.items().begin().key();
    if (news == "Error") news = said["Error"].at("code");
    if (news == "MatchFound") {
        if (told[player] == said[news].at("match_id")) return;
        told[player] = said[news]["match_id"];
    }
    const bool waits = news == "EnQueued" || news == "already_in_queue" || news == "match_pending";
    if (waits) waiting.insert(player); else waiting.erase(player);
    open_.erase("enqueue " + player), open_.erase("dequeue " + player);
    std::cout << json{{"told", player}, {"news", news}} << std::endl;
}

void catch_up() {  // what became of players who wait may have been told while nobody listened
    for (const auto &player : waiting)
        ask("status " + player, "handoff", {{"kind", "status"}, {"pod_id", pod}, {"player_id", player}});
}

void wished(const std::string &line) {
    json tasks = json::parse(line);
    for (auto &[kind, wanted] : tasks.items()) {
        if (kind != "enqueue" && kind != "dequeue") continue;
        wanted["pod_id"] = pod;
        ask(kind + " " + wanted.at("player_id").get<std::string>(), kind, wanted);
    }
}

template <class Do> void passing_over(Do what) {  // what cannot be read
    try { what(); } catch (const json::exception &) {}
}

bool hears() {  // all that has come; false: the connection is lost
    if (redisBufferRead(heard) != REDIS_OK) return false;
    void *next = nullptr;
    while (redisGetReplyFromReader(heard, &next) == REDIS_OK && next) {
        auto *reply = static_cast<redisReply *>(next);
        if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 3 && reply->element[2]->type == REDIS_REPLY_STRING) {
            const std::string channel(reply->element[1]->str), text(reply->element[2]->str, reply->element[2]->len);
            passing_over([&] { (channel == result ? answered : offered)(json::parse(text)); });
        }
        freeReplyObject(reply);
    }
    return !heard->err;
}

int main() {
    std::string input;
    for (auto again = Clock::now();;) {
        if (!heard && (heard = connected())) {  // listen first, then ask
            redisAppendCommand(heard, "SUBSCRIBE battle:request %s", result.c_str());
            for (int done = 0; !done && redisBufferWrite(heard, &done) == REDIS_OK;) {}
            catch_up();
        }
        pollfd both[] = {{heard ? heard->fd : -1, POLLIN, 0}, {heard ? STDIN_FILENO : -1, POLLIN, 0}};
        poll(both, 2, 200);
        if (both[0].revents && !hears()) redisFree(heard), heard = nullptr;
        if (both[1].revents) {
            char bytes[4096];
            const ssize_t count = read(STDIN_FILENO, bytes, sizeof bytes);
            if (count <= 0) return 0;
            input.append(bytes, count);
            for (size_t end; (end = input.find('\n')) != std::string::npos; input.erase(0, end + 1))
                passing_over([&] { wished(input.substr(0, end)); });
        }
        if (Clock::now() - again < std::chrono::seconds(1)) continue;
        again = Clock::now();
        for (const auto &[_, request] : open_) send(request);
    }
}
