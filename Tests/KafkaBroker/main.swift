// A Kafka cluster in memory, librdkafka's own, for tests. The first line it prints is its bootstrap servers. Then it
// obeys one command a line and answers each with `ok` or `error …`; it ends when its input does.
//
//   topic NAME PARTITIONS      makes a topic
//   down BROKER, up BROKER     a broker (1, 2, …; -1 for all) is away, and back
//   rtt BROKER MILLISECONDS    answers of a broker take this long
//   error API CODE [COUNT]     the next requests of this kind fail, such as `error 0 7` for produce timed out
//   coordinator KIND KEY ID    which broker coordinates a `group` or a `transaction`
//
// usage: kafka-broker [BROKERS]
import CKafka
import Foundation

/// What the commands act on.
struct Cluster {
    let cluster: OpaquePointer

    func obey(_ words: [String]) -> String {
        let numbers = words.dropFirst().map { Int32($0) }
        func number(_ index: Int) -> Int32? { numbers.indices.contains(index) ? numbers[index] : nil }
        switch (words.first, words.count) {
        case ("topic", 3):
            guard let partitions = number(1) else { return "error no number" }
            return told(rd_kafka_mock_topic_create(cluster, words[1], partitions, 1))
        case ("down", 2):
            guard let broker = number(0) else { return "error no number" }
            return told(rd_kafka_mock_broker_set_down(cluster, broker))
        case ("up", 2):
            guard let broker = number(0) else { return "error no number" }
            return told(rd_kafka_mock_broker_set_up(cluster, broker))
        case ("rtt", 3):
            guard let broker = number(0), let milliseconds = number(1) else { return "error no number" }
            return told(rd_kafka_mock_broker_set_rtt(cluster, broker, milliseconds))
        case ("error", 3...4):
            guard let api = number(0).flatMap({ Int16(exactly: $0) }), let code = number(1) else {
                return "error no number"
            }
            let errors = [rd_kafka_resp_err_t](repeating: rd_kafka_resp_err_t(code), count: Int(number(2) ?? 1))
            rd_kafka_mock_push_request_errors_array(cluster, api, errors.count, errors)
            return "ok"
        case ("coordinator", 4):
            guard let broker = number(2) else { return "error no number" }
            return told(rd_kafka_mock_coordinator_set(cluster, words[1], words[2], broker))
        default: return "error unknown command"
        }
    }

    private func told(_ code: rd_kafka_resp_err_t) -> String {
        code == RD_KAFKA_RESP_ERR_NO_ERROR ? "ok" : "error \(String(cString: rd_kafka_err2str(code)))"
    }
}

func answer(_ line: String) { FileHandle.standardOutput.write(Data("\(line)\n".utf8)) }

let brokers = CommandLine.arguments.dropFirst().first.flatMap { Int32($0) } ?? 3
let configuration = rd_kafka_conf_new()
// The client that carries the cluster talks to nobody and has nothing to say about that.
rd_kafka_conf_set_log_cb(configuration, nil)
guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, nil, 0),
    let mock = rd_kafka_mock_cluster_new(client, max(1, brokers)),
    let servers = rd_kafka_mock_cluster_bootstraps(mock)
else {
    answer("error the cluster could not be made")
    exit(1)
}
answer(String(cString: servers))
let cluster = Cluster(cluster: mock)
while let line = readLine() {
    answer(cluster.obey(line.split(separator: " ").map(String.init)))
}
rd_kafka_mock_cluster_destroy(mock)
rd_kafka_destroy(client)
