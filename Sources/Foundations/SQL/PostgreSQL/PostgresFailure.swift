import Basics
import Foundation

/// What PostgreSQL's refusals mean to us, by SQLSTATE (appendix A of its manual).
enum PostgresFailure {
    /// What a failure means for the work around it.
    enum Effect {
        /// The statement failed; what came before it in the transaction can be kept.
        case statement
        /// The connection is gone, or as good as gone.
        case lost
        /// All of the work may succeed when it is done again.
        case retry
    }

    /// Why there is no connection, out of libpq's text: it offers no more.
    static func connecting(_ reason: String, to address: PostgresAddress) -> SQLFailure {
        let path = address.description
        let (state, short) = refusal(reason)
        switch state {
        case "28P01", "28000", "28P02": return .signInRefused(path: path, reason: short)
        case "3D000": return .unknownDatabase(path: path, name: address.database)
        case "42501": return .missingRights(path: path, reason: short)
        case .some: return .unavailable(path: path, reason: short)
        case nil: break
        }
        if reason.contains("no password supplied") { return .signInRefused(path: path, reason: short) }
        if reason.contains("SSL") || reason.contains("certificate") || reason.contains("sslmode") {
            return .encryptionRefused(path: path, reason: short)
        }
        return .unavailable(path: path, reason: short)
    }

    /// The SQLSTATE of the server's last refusal, and what it says: `FATAL:  28P01: password ...; ...`.
    private static func refusal(_ reason: String) -> (state: String?, text: String) {
        guard let mark = reason.range(of: "FATAL:", options: .backwards) else { return (nil, reason) }
        let rest = reason[mark.upperBound...].drop { $0 == " " }
        let state = rest.prefix(5)
        guard state.utf8.count == 5, state.allSatisfy({ $0.isNumber || $0.isUppercase }) else { return (nil, reason) }
        return (String(state), String(rest.dropFirst(5).drop { $0 == ":" || $0 == " " }))
    }

    /// What a failed statement means.
    static func statement(
        _ state: String, _ message: String, sql: String, at address: PostgresAddress
    ) -> (failure: SQLFailure, effect: Effect) {
        let path = address.description
        switch state {
        case "23505": return (.constraint(.unique, reason: message), .statement)
        case "23503": return (.constraint(.foreignKey, reason: message), .statement)
        case "23502": return (.constraint(.notNull, reason: message), .statement)
        case "23514": return (.constraint(.check, reason: message), .statement)
        case _ where state.hasPrefix("23"): return (.constraint(.other, reason: message), .statement)
        case "40001", "40P01", "26000": return (.statement(sql: sql, reason: message), .retry)
        // The schema changed under a prepared statement.
        case "0A000" where message.contains("cached plan"):
            return (.statement(sql: sql, reason: message), .retry)
        case "25006": return (.readOnly(path: path), .statement)
        case "42501": return (.missingRights(path: path, reason: message), .statement)
        case "53100": return (.diskFull(path: path), .statement)
        case "55P03": return (.locked(path: path), .statement)
        case "57014": return (.timedOut(sql: sql, path: path), .statement)
        case "58030": return (.inputOutput(path: path, reason: message), .statement)
        case "XX001", "XX002": return (.corrupt(path: path, reason: message), .statement)
        case "57P01", "57P02", "57P03", "57P05", "25P03": return (.unavailable(path: path, reason: message), .lost)
        case _ where state.hasPrefix("08"):
            return (.unavailable(path: path, reason: message), .lost)
        default: return (.statement(sql: sql, reason: message), .statement)
        }
    }
}
