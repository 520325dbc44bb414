// A game server in Go, with redigo: it enqueues its players, takes matches and plays them.
//
//	apt-get install golang-go golang-github-gomodule-redigo-dev
//	GO111MODULE=off GOPATH=/usr/share/gocode go build -o game_server examples/game_server.go
//	REDIS_URL=redis://localhost:6379 POD_ID=pod-a ./game_server
//	{"enqueue": {"player_id": "alice", "game_mode": "Squad", "metadata": {"mmr": 1500}}}
//
// `matchkeeper conformance -- ./game_server` tries it on good and bad evenings. It needs no time to get ready, so it
// claims and confirms in one, with `start`.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/gomodule/redigo/redis"
)

type object = map[string]interface{}

type message struct { // an offer, or an answer
	Player string          `json:"player_id"`
	Match  string          `json:"match_id"`
	Mode   string          `json:"game_mode"`
	Epoch  int             `json:"epoch"`
	Result json.RawMessage `json:"result_type"`
}

var (
	url, pod = os.Getenv("REDIS_URL"), os.Getenv("POD_ID")
	result   = "pod:" + pod + ":match_result"
	timeouts = []redis.DialOption{redis.DialConnectTimeout(2 * time.Second), redis.DialReadTimeout(2 * time.Second)}
	pool     = redis.Pool{MaxIdle: 2, Dial: func() (redis.Conn, error) { return redis.DialURL(url, timeouts...) }}
	open     = map[string][]interface{}{} // what was asked and is not answered yet
	running  = map[string]bool{}          // matches
	waiting  = map[string]bool{}          // players of whom news is to come
	told     = map[string]string{}        // player -> the match that was told last
	todo     = make(chan func())          // all of this is done by main, one thing after the other
)

func ask(name, kind string, fields object) {
	body, _ := json.Marshal(fields)
	open[name] = []interface{}{"match:requests", "NOMKSTREAM", "*", "kind", kind, "body", body}
	send(open[name])
}

func send(request []interface{}) { // where that fails it is sent again, in a second
	connection := pool.Get()
	defer connection.Close()
	connection.Do("XADD", request...)
}

// Listens until the connection is lost. `ready` is called once both channels are heard.
func hear(ready func()) {
	subscription := redis.PubSubConn{Conn: pool.Get()}
	defer subscription.Close()
	subscription.Subscribe("battle:request", result)
	for {
		switch came := subscription.ReceiveWithTimeout(0).(type) {
		case redis.Message:
			todo <- func() { heard(came.Channel, came.Data) }
		case redis.Subscription:
			if came.Count == 2 {
				ready()
			}
		case error:
			return
		}
	}
}

func heard(channel string, data []byte) {
	var m message
	if json.Unmarshal(data, &m) != nil {
		return // nothing that can be read
	} else if channel == result {
		answered(m)
	} else if m.Epoch > 0 && !running[m.Match] {
		token := fmt.Sprintf("%s-%d", m.Match, m.Epoch) // the same each time that it is sent
		ask(token, "handoff", object{"kind": "start", "pod_id": pod, "game_mode": m.Mode, "match_id": m.Match, "epoch": m.Epoch, "token": token})
	}
}

func answered(m message) {
	var news string
	about := map[string]struct {
		Token, Reply, Code string
		Match              string `json:"match_id"`
		News               json.RawMessage
	}{}
	json.Unmarshal(m.Result, &news)
	json.Unmarshal(m.Result, &about)
	came, found, status := about["Handoff"], about["MatchFound"], about["Status"]
	if _, asked := open[came.Token+status.Token]; asked {
		delete(open, came.Token+status.Token)
		if came.Reply == "started" {
			running[m.Match] = true
			fmt.Printf("{\"started\":%q}\n", m.Match)
		} else if m.Result = status.News; waiting[m.Player] && m.Result != nil { // it was missed
			answered(m)
		}
		return
	} else if found.Match != "" && found.Match != told[m.Player] {
		news, told[m.Player] = "MatchFound", found.Match
	}
	if news += about["Error"].Code; news != "" {
		waiting[m.Player] = news == "EnQueued" || news == "already_in_queue" || news == "match_pending"
		delete(open, "enqueue "+m.Player)
		delete(open, "dequeue "+m.Player)
		fmt.Printf("{\"told\":%q,\"news\":%q}\n", m.Player, news)
	}
}

func catchUp() { // what became of players who wait may have been told while nobody listened
	for player, waits := range waiting {
		if token := "status " + player; waits {
			ask(token, "handoff", object{"kind": "status", "pod_id": pod, "player_id": player, "token": token})
		}
	}
}

func wish(line string) {
	wanted := map[string]object{}
	json.Unmarshal([]byte(line), &wanted)
	for kind, request := range wanted {
		if kind == "enqueue" || kind == "dequeue" {
			request["pod_id"] = pod
			ask(fmt.Sprint(kind, " ", request["player_id"]), kind, request)
		}
	}
}

func main() {
	wishes := func() {
		for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
			line := lines.Text()
			todo <- func() { wish(line) }
		}
		todo <- func() { os.Exit(0) }
	}
	var once sync.Once
	go func() {
		for ; ; time.Sleep(500 * time.Millisecond) {
			hear(func() {
				once.Do(func() { go wishes() })
				todo <- catchUp
			})
		}
	}()
	for again := time.Tick(time.Second); ; {
		select {
		case do := <-todo:
			do()
		case <-again:
			for _, request := range open {
				send(request)
			}
		}
	}
}
