import Kernels

extension TextCleaning {
    // MARK: - The strict form, with a semicolon

    /// ftfy's `unescape_html`: only `&name;` and `&#number;`, names also all in capitals (`&EACUTE;`).
    static func unescapeEntities(_ line: [Unicode.Scalar]) -> [Unicode.Scalar] {
        replaceReferences(line) { reference in
            let end = reference.prefix(27).firstIndex(of: ";") ?? reference.endIndex
            guard end < reference.endIndex, end > reference.startIndex, end - reference.startIndex <= 25 else { return nil }
            let body = reference[..<end]
            let consumed = body.count + 1
            if body.first == "#" {
                guard let (scalars, length) = number(reference), length == consumed else { return nil }
                return (scalars, consumed)
            }
            let name = text(body)
            if let scalar = entities[name] { return ([scalar], consumed) }
            let lowered = name.lowercased()
            if name == name.uppercased(), let scalar = entities[lowered] {
                return (Array(scalar.properties.uppercaseMapping.unicodeScalars), consumed)
            }
            return nil
        }
    }

    // MARK: - The lenient form of browsers

    /// Python's `html.unescape`: numbers and Latin-1 names also without a semicolon, the longest name that fits.
    static func unescapeReferences(_ line: [Unicode.Scalar]) -> [Unicode.Scalar] {
        replaceReferences(line) { reference in
            if reference.first == "#" { return number(reference) }
            let stops: Set<Unicode.Scalar> = ["\t", "\n", "\u{C}", " ", "<", "&", "#", ";"]
            let body = reference.prefix(32).prefix { !stops.contains($0) }
            let end = body.endIndex
            if end < reference.endIndex, reference[end] == ";", let scalar = entities[text(body)] { return ([scalar], body.count + 1) }
            for length in stride(from: body.count, to: 1, by: -1) {
                let name = text(body.prefix(length))
                if namesWithoutSemicolon.contains(name), let scalar = entities[name] { return ([scalar], length) }
            }
            return nil
        }
    }

    // MARK: - Shared

    /// Replaces after each "&" what `replacement` recognises; it is given what follows and answers with scalars and the count consumed.
    private static func replaceReferences(
        _ line: [Unicode.Scalar], _ replacement: (ArraySlice<Unicode.Scalar>) -> (scalars: [Unicode.Scalar], consumed: Int)?
    ) -> [Unicode.Scalar] {
        guard line.contains("&") else { return line }
        var result = [Unicode.Scalar]()
        var index = 0
        while index < line.count {
            if line[index] == "&", let (scalars, consumed) = replacement(line[(index + 1)...]) {
                result += scalars
                index += 1 + consumed
            } else {
                result.append(line[index])
                index += 1
            }
        }
        return result
    }

    /// A numeric reference `#65;`, `#x41;` (semicolon optional) by the rules of HTML 5: U+FFFD for what is no character,
    /// Windows-1252 for 128...159, nothing for non-characters and controls.
    private static func number(_ reference: ArraySlice<Unicode.Scalar>) -> (scalars: [Unicode.Scalar], consumed: Int)? {
        var rest = reference.dropFirst()
        let isHexadecimal = rest.first == "x" || rest.first == "X"
        if isHexadecimal { rest = rest.dropFirst() }
        let digits = rest.prefix { isHexadecimal ? $0.properties.isASCIIHexDigit : isDigit($0) }
        guard !digits.isEmpty else { return nil }
        let hasSemicolon = digits.endIndex < reference.endIndex && reference[digits.endIndex] == ";"
        let consumed = digits.endIndex - reference.startIndex + (hasSemicolon ? 1 : 0)
        // A number too long for UInt32 is too large for a character as well.
        let value = UInt32(text(digits), radix: isHexadecimal ? 16 : 10) ?? .max
        switch value {
        case 0: return (["\u{FFFD}"], consumed)
        case 0x0D: return (["\r"], consumed)
        case 0x80...0x9F: return ([windows1252[Int(value - 0x80)]], consumed)
        case 0x01...0x08, 0x0B, 0x0E...0x1F, 0x7F, 0xFDD0...0xFDEF: return ([], consumed)
        default:
            guard let scalar = Unicode.Scalar(value) else { return (["\u{FFFD}"], consumed) }
            return (value & 0xFFFE == 0xFFFE ? [] : [scalar], consumed)
        }
    }

    // MARK: - Names

    /// HTML's names of U+00A0...U+00FF in order.
    private static let latin1Names = """
        nbsp iexcl cent pound curren yen brvbar sect uml copy ordf laquo not shy reg macr deg plusmn sup2 sup3 acute micro para middot cedil sup1 ordm \
        raquo frac14 frac12 frac34 iquest Agrave Aacute Acirc Atilde Auml Aring AElig Ccedil Egrave Eacute Ecirc Euml Igrave Iacute Icirc Iuml ETH \
        Ntilde Ograve Oacute Ocirc Otilde Ouml times Oslash Ugrave Uacute Ucirc Uuml Yacute THORN szlig agrave aacute acirc atilde auml aring aelig \
        ccedil egrave eacute ecirc euml igrave iacute icirc iuml eth ntilde ograve oacute ocirc otilde ouml divide oslash ugrave uacute ucirc uuml \
        yacute thorn yuml
        """.split(separator: " ").map(String.init)

    /// Names that browsers accept without a semicolon.
    private static let namesWithoutSemicolon = Set(latin1Names + ["quot", "amp", "lt", "gt", "QUOT", "AMP", "LT", "GT", "COPY", "REG"])

    /// HTML 4's other names and the capital aliases of HTML 5, as `name=code` in hexadecimal; values as HTML 5 has them.
    private static let otherNames = """
        quot=22 amp=26 lt=3c gt=3e apos=27 QUOT=22 AMP=26 LT=3c GT=3e COPY=a9 REG=ae TRADE=2122 OElig=152 oelig=153 Scaron=160 scaron=161 Yuml=178 \
        fnof=192 circ=2c6 tilde=2dc \
        Alpha=391 Beta=392 Gamma=393 Delta=394 Epsilon=395 Zeta=396 Eta=397 Theta=398 Iota=399 Kappa=39a Lambda=39b Mu=39c Nu=39d Xi=39e Omicron=39f \
        Pi=3a0 Rho=3a1 Sigma=3a3 Tau=3a4 Upsilon=3a5 Phi=3a6 Chi=3a7 Psi=3a8 Omega=3a9 alpha=3b1 beta=3b2 gamma=3b3 delta=3b4 epsilon=3b5 zeta=3b6 \
        eta=3b7 theta=3b8 iota=3b9 kappa=3ba lambda=3bb mu=3bc nu=3bd xi=3be omicron=3bf pi=3c0 rho=3c1 sigmaf=3c2 sigma=3c3 tau=3c4 upsilon=3c5 \
        phi=3c6 chi=3c7 psi=3c8 omega=3c9 thetasym=3d1 upsih=3d2 piv=3d6 ensp=2002 emsp=2003 thinsp=2009 zwnj=200c zwj=200d lrm=200e rlm=200f \
        ndash=2013 mdash=2014 lsquo=2018 rsquo=2019 sbquo=201a ldquo=201c rdquo=201d bdquo=201e dagger=2020 Dagger=2021 bull=2022 hellip=2026 \
        permil=2030 prime=2032 Prime=2033 lsaquo=2039 rsaquo=203a oline=203e frasl=2044 euro=20ac image=2111 weierp=2118 real=211c trade=2122 \
        alefsym=2135 larr=2190 uarr=2191 rarr=2192 darr=2193 harr=2194 crarr=21b5 lArr=21d0 uArr=21d1 rArr=21d2 dArr=21d3 hArr=21d4 forall=2200 \
        part=2202 exist=2203 empty=2205 nabla=2207 isin=2208 notin=2209 ni=220b prod=220f sum=2211 minus=2212 lowast=2217 radic=221a prop=221d \
        infin=221e ang=2220 and=2227 or=2228 cap=2229 cup=222a int=222b there4=2234 sim=223c cong=2245 asymp=2248 ne=2260 equiv=2261 le=2264 \
        ge=2265 sub=2282 sup=2283 nsub=2284 sube=2286 supe=2287 oplus=2295 otimes=2297 perp=22a5 sdot=22c5 lceil=2308 rceil=2309 lfloor=230a \
        rfloor=230b lang=27e8 rang=27e9 loz=25ca spades=2660 clubs=2663 hearts=2665 diams=2666
        """

    /// Every known name and its character.
    private static let entities: [String: Unicode.Scalar] = {
        var table = [String: Unicode.Scalar]()
        for (offset, name) in latin1Names.enumerated() { table[name] = Unicode.Scalar(UInt32(0xA0 + offset)) }
        for pair in otherNames.split(separator: " ") {
            let parts = pair.split(separator: "=")
            table[String(parts[0])] = UInt32(parts[1], radix: 16).flatMap(Unicode.Scalar.init)
        }
        return table
    }()
}
