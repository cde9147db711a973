/// Bins for the outputs of any model: sixteen to each power of two from 2^-12 to 2^12 on either side of zero, so that a
/// probability is known within 6 %.
public enum OutputBins {
    private static let octaves = 24
    private static let lowest = -12
    private static let perOctave = 16
    private static let side = octaves * perOctave

    /// How many there are: both sides, and one for what is nearer to zero than the smallest.
    public static let count = 2 * side + 1

    /// The bin of a finite value, from 0; bins rise with the values in them. What is beyond the ends counts in the last.
    public static func bin(of value: Double) -> Int {
        let magnitude = value.magnitude
        guard magnitude.isNormal, magnitude.exponent >= lowest else { return side }
        let octave = min(Int(magnitude.exponent) - lowest, octaves - 1)
        let within = magnitude.exponent - lowest >= octaves ? perOctave - 1 : Int((magnitude.significand - 1) * 16)
        let distance = octave * perOctave + within + 1
        return value < 0 ? side - distance : side + distance
    }
}
