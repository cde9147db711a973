// Written by advice_oracle.py.

extension AdviceCase {
    static let all: [AdviceCase] = [
        AdviceCase(
            "50ms", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "real-time", "--++", [109.5, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "100ms", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "real-time", "--++", [109.5, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "50ms", nil, "0/day", rows: 1, peak: 3, idle: 0, row: 10,
            "real-time", "--++", [73.0, 109.5, 73.0, 0.0]),
        AdviceCase(
            "1d", nil, "0/day", rows: 1, peak: 3, idle: 0, row: 10,
            "batch", "++++", [0.0, 36.5, 0.0, 0.0]),
        AdviceCase(
            "1d", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "batch", "++++", [0.025348982486734523, 36.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "6h", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "batch", "++++", [0.10140297198300258, 36.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "1h", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "batch", "++++", [0.6086996633932432, 36.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "5m", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "batch", "++++", [7.349333519761373, 36.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "62s", nil, "0/day", rows: 1, peak: 3, idle: 0, row: 10,
            "batch", "++++", [0.0, 36.5, 0.0, 0.0]),
        AdviceCase(
            "61s", nil, "1/day", rows: 1, peak: 3, idle: 0, row: 10,
            "stream", "-+++", [109.5, 36.5, 73.0, 4.224537037037037e-09]),
        AdviceCase(
            "63s", nil, "1/day", rows: 1, peak: 3, idle: 0, row: 10,
            "batch", "++++", [35.90163934509336, 36.5, 73.0, 4.224537037037037e-09]),
        AdviceCase(
            "1s", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "stream", "-+++", [109.5, 36.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "999ms", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "real-time", "--++", [109.5, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "2s", nil, "10k/s", rows: 1, peak: 3, idle: 0, row: 10,
            "stream", "-+++", [146.0, 109.5, 109.5, 3.6500000000000004]),
        AdviceCase(
            "500ms", nil, "10k/s", rows: 1, peak: 3, idle: 0, row: 10,
            "real-time", "--++", [146.0, 219.0, 109.5, 3.6500000000000004]),
        AdviceCase(
            "5ms", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "edge", "---+", [109.5, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "6ms", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "real-time", "--++", [109.5, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "5400us", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "real-time", "--++", [109.5, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "5300us", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "edge", "---+", [109.5, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "9us", nil, "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "", "----", [109.5, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "10us", nil, "1/s", rows: 1, peak: 3, idle: 0, row: 10,
            "edge", "---+", [109.5, 109.5, 73.0, 0.000365]),
        AdviceCase(
            "11us", nil, "1/s", rows: 1, peak: 3, idle: 0, row: 10,
            "edge", "---+", [109.5, 109.5, 73.0, 0.000365]),
        AdviceCase(
            "50ms", nil, "2M/day", rows: 100, peak: 3, idle: 0, row: 10,
            "real-time", "--++", [109.5, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "10ms", nil, "2M/day", rows: 100, peak: 3, idle: 0, row: 10,
            "edge", "---+", [109.5, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "50ms", "1d", "2M/day", rows: 1, peak: 3, idle: 0, row: 10,
            "real-time", "++++", [73.02534898248673, 109.5, 73.0, 0.008449074074074072]),
        AdviceCase(
            "50ms", "1d", "200M/day", rows: 1, peak: 3, idle: 0, row: 2000,
            "batch", "++++", [106.79876849001135, 730.0, 1058.5, 168.9814814814815]),
        AdviceCase(
            "50ms", "10s", "200M/day", rows: 1, peak: 3, idle: 0, row: 2000,
            "stream", "-+++", [146.0, 730.0, 1058.5, 168.9814814814815]),
        AdviceCase(
            "50ms", nil, "200M/day", rows: 1, peak: 3, idle: 0, row: 2000,
            "real-time", "--++", [146.0, 730.0, 1058.5, 168.9814814814815]),
        AdviceCase(
            "50ms", nil, "20M/day", rows: 1, peak: 3, idle: 12, row: 10,
            "real-time", "--++", [109.5, 109.5, 73.0, 0.08449074074074074]),
        AdviceCase(
            "10s", nil, "20M/day", rows: 1, peak: 3, idle: 12, row: 10,
            "stream", "-+++", [73.0, 36.5, 36.5, 0.08449074074074074]),
        AdviceCase(
            "10s", nil, "5/min", rows: 1, peak: 3, idle: 23, row: 10,
            "real-time", "-+++", [39.54166666666667, 36.5, 3.041666666666667, 3.041666666666667e-05]),
        AdviceCase(
            "50ms", nil, "1G/day", rows: 1, peak: 1, idle: 0, row: 10,
            "real-time", "--++", [109.5, 109.5, 73.0, 4.224537037037037]),
        AdviceCase(
            "50ms", nil, "1G/day", rows: 1, peak: 10, idle: 0, row: 10,
            "real-time", "--++", [401.5, 693.5, 365.0, 4.224537037037037]),
        AdviceCase(
            "1d", nil, "1G/day", rows: 1, peak: 10, idle: 0, row: 10,
            "batch", "++++", [0.8457718928678907, 328.5, 365.0, 4.224537037037037]),
        AdviceCase(
            "50ms", nil, "1G/month", rows: 1, peak: 3, idle: 0, row: 10,
            "real-time", "--++", [109.5, 109.5, 73.0, 0.1388888888888889]),
        AdviceCase(
            "50ms", nil, "300/s", rows: 1, peak: 3, idle: 0, row: 100000,
            "", "----", [511.0, 4197.5, 6606.5, 1095.0]),
        AdviceCase(
            "2s", nil, "300/s", rows: 1, peak: 3, idle: 0, row: 100000,
            "stream", "-+++", [511.0, 4124.5, 6606.5, 1095.0]),
        AdviceCase(
            "100ms", nil, "1/h", rows: 1, peak: 3, idle: 0, row: 100000,
            "edge", "---+", [109.5, 109.5, 73.0, 0.0010138888888888888]),
        AdviceCase(
            "2d", nil, "1.5k/h", rows: 1, peak: 3, idle: 0, row: 10,
            "batch", "++++", [0.025347222222222222, 36.5, 73.0, 0.00015208333333333333]),
        AdviceCase(
            "300ms", nil, "3/s", rows: 1, peak: 3, idle: 8, row: 20000,
            "real-time", "--++", [109.5, 109.5, 73.0, 2.19]),
    ]
}
