/**
 * A map of the world as a wall: in courses of five degrees, where there is land, roughly; and where about in
 * them each country has its middle. It shows whereabouts, no borders; written down by hand from an atlas.
 */

/** Land between two meridians, in degrees east. */
type Stretch = readonly [number, number];

/** Each course from its upper parallel, in degrees north, five degrees high. */
const COURSES: readonly (readonly [number, readonly Stretch[]])[] = [
  [85, [[-90, -65], [-58, -22]]],
  [80, [[-115, -80], [-70, -20], [12, 26], [95, 106]]],
  [75, [[-160, -150], [-125, -104], [-98, -72], [-55, -22], [20, 30], [53, 60], [68, 142]]],
  [70, [[-180, -171], [-166, -86], [-84, -63], [-53, -26], [13, 41], [44, 180]]],
  [65, [[-165, -93], [-78, -64], [-52, -42], [-24, -14], [6, 18], [22, 178]]],
  [60, [[-162, -153], [-136, -93], [-78, -61], [-7, -2], [6, 17], [21, 138], [156, 163]]],
  [55, [[-130, -82], [-79, -57], [-10, -6], [-5, 1], [4, 141], [142, 144], [156, 160]]],
  [50, [[-125, -63], [-58, -53], [-4, 47], [52, 137], [142, 144]]],
  [45, [[-124, -70], [-66, -61], [-9, 3], [5, 16], [17, 49], [53, 131], [140, 145]]],
  [40, [[-123, -76], [-9, 0], [1, 10], [13, 17], [20, 25], [27, 49], [53, 120], [126, 129], [136, 141]]],
  [35, [[-120, -79], [-9, 20], [22, 121], [130, 136]]],
  [30, [[-115, -97], [-83, -80], [-14, 34], [35, 121]]],
  [25, [[-158, -155], [-107, -98], [-90, -87], [-83, -75], [-16, 37], [39, 59], [70, 117], [120, 122]]],
  [20, [[-104, -92], [-91, -88], [-78, -76], [-74, -68], [-67, -65], [-16, 39], [43, 57], [73, 84], [94, 108], [120, 122]]],
  [15, [[-91, -83], [-76, -62], [-17, 51], [75, 80], [98, 109], [121, 125]]],
  [10, [[-84, -77], [-76, -52], [-13, 49], [80, 82], [99, 104], [116, 118], [122, 126]]],
  [5, [[-79, -50], [9, 46], [97, 104], [109, 118], [120, 124], [127, 129]]],
  [0, [[-81, -39], [9, 42], [101, 107], [110, 117], [120, 123], [131, 151]]],
  [-5, [[-80, -35], [12, 40], [105, 114], [118, 127], [138, 149], [156, 160]]],
  [-10, [[-77, -38], [13, 40], [48, 50], [126, 136], [142, 145]]],
  [-15, [[-75, -39], [12, 38], [44, 50], [122, 147], [167, 169], [177, 180]]],
  [-20, [[-70, -41], [13, 35], [43, 48], [114, 150], [164, 167]]],
  [-25, [[-71, -48], [15, 33], [113, 153]]],
  [-30, [[-72, -51], [17, 30], [115, 129], [133, 152]]],
  [-35, [[-73, -57], [138, 150], [174, 178]]],
  [-40, [[-74, -64], [145, 148], [170, 175]]],
  [-45, [[-75, -66], [167, 171]]],
  [-50, [[-74, -66], [-61, -58]]],
];

/** `NL 52 5`: letters, degrees north, degrees east. */
const MIDDLES = `AD 42.5 1.5,AE 24 54,AF 34 66,AG 17 -62,AI 18 -63,AL 41 20,AM 40 45,AO -12 18,AR -35 -65,AS -14 -171,
AT 47.5 14,AU -25 134,AW 12.5 -70,AX 60 20,AZ 40.5 47.5,BA 44 18,BB 13 -59.5,BD 24 90,BE 50.8 4.5,BF 12.5 -1.5,BG 42.8 25,
BH 26 50.5,BI -3.5 30,BJ 9.5 2.3,BL 18 -63,BM 32 -65,BN 4.5 114.5,BO -17 -65,BQ 12 -68,BR -10 -53,BS 24.5 -76,BT 27.5 90.5,
BW -22 24,BY 53.5 28,BZ 17 -88.7,CA 56 -106,CC -12 97,CD -3 23,CF 7 20.5,CG -1 15.5,CH 46.8 8.2,CI 7.5 -5.5,CK -21 -160,
CL -33 -71,CM 5.5 12.5,CN 35 104,CO 4 -73,CR 10 -84,CU 22 -79,CV 16 -24,CW 12 -69,CX -10.5 105.7,CY 35 33,CZ 49.8 15.5,
DE 51 10,DJ 11.7 42.6,DK 56 9.5,DM 15.4 -61.4,DO 19 -70.5,DZ 28 2.5,EC -1.5 -78.5,EE 58.7 25.5,EG 26.5 30,EH 24.5 -13.5,
ER 15.5 38.5,ES 40 -3.5,ET 9 39.5,FI 63 26,FJ -18 178,FK -51.7 -59.5,FM 7 151,FO 62 -7,FR 46.5 2.5,GA -0.8 11.7,GB 53 -1.5,
GD 12 -61.7,GE 42 43.5,GF 4 -53,GG 49.5 -2.6,GH 8 -1,GI 36 -5.3,GL 72 -42,GM 13.4 -15.5,GN 10.5 -11,GP 16.2 -61.5,
GQ 1.7 10.3,GR 39 22,GT 15.6 -90.3,GU 13.5 145,GW 12 -15,GY 5 -59,HK 22.3 114.2,HN 15 -86.5,HR 45.3 16,HT 19 -72.5,HU 47 19.5,
ID -2 115,IE 53.2 -8,IL 31.5 35,IM 54.2 -4.5,IN 22 79,IO -7 72,IQ 33 43.7,IR 32.5 54,IS 65 -18.5,IT 42.8 12.7,JE 49.2 -2.1,
JM 18.2 -77.3,JO 31.2 36.5,JP 36.5 138,KE 0.5 38,KG 41.5 74.7,KH 12.7 105,KI 1.5 173,KM -12 43.8,KN 17.3 -62.7,KP 40.3 127,
KR 36.3 128,KW 29.3 47.6,KY 19.4 -81,KZ 48 67,LA 18.5 103.8,LB 33.9 35.9,LC 13.9 -61,LI 47.1 9.5,LK 7.7 80.7,LR 6.5 -9.3,
LS -29.5 28.2,LT 55.3 24,LU 49.7 6.1,LV 57 25,LY 27 18,MA 32 -6.5,MC 43.7 7.4,MD 47.2 28.5,ME 42.8 19.3,MF 18.1 -63.1,
MG -19.5 46.7,MH 7.1 171,MK 41.6 21.7,ML 17.5 -3.5,MM 21 96.5,MN 46.8 103,MO 22.2 113.5,MP 15.2 145.7,MQ 14.6 -61,MR 20.3 -10.5,
MS 16.7 -62.2,MT 35.9 14.4,MU -20.3 57.6,MV 3.2 73.2,MW -13.3 34,MX 23.8 -102.5,MY 4 109,MZ -17.5 36,NA -22 17,NC -21.3 165.5,
NE 17.5 9.5,NF -29 168,NG 9.5 8,NI 12.9 -85,NL 52.2 5.5,NO 61.5 9,NP 28.2 84,NR -0.5 167,NU -19 -170,NZ -41.5 173,OM 21 56.5,
PA 8.5 -80,PE -9.5 -75,PF -17.6 -149.5,PG -6.5 145,PH 12.5 122.5,PK 30 69.5,PL 52 19.3,PM 46.9 -56.3,PR 18.2 -66.4,PS 32 35.2,
PT 39.6 -8,PW 7.5 134.5,PY -23.3 -58.3,QA 25.3 51.2,RE -21.1 55.5,RO 45.9 25,RS 44.2 20.8,RU 60 95,RW -2 30,SA 24 45,SB -9 160,
SC -4.7 55.5,SD 15.5 30,SE 61.5 15.5,SG 1.35 103.8,SH -16 -5.7,SI 46.1 14.8,SJ 78 17,SK 48.7 19.5,SL 8.5 -11.8,SM 43.9 12.5,
SN 14.4 -14.5,SO 5.5 46,SR 4.1 -56,SS 7.5 30,ST 0.3 6.7,SV 13.7 -88.9,SX 18 -63,SY 35 38.5,SZ -26.5 31.5,TC 21.8 -71.8,
TD 15.3 18.7,TG 8.5 1,TH 15 101,TJ 38.8 71,TK -9 -172,TL -8.8 125.8,TM 39.2 59.3,TN 34 9.5,TO -21 -175,TR 39 35,TT 10.5 -61.3,
TV -8 179,TW 23.7 121,TZ -6.3 34.8,UA 49 31.5,UG 1.3 32.3,US 39.5 -98.5,UY -32.8 -56,UZ 41.5 64,VA 41.9 12.4,VC 13.2 -61.2,
VE 7 -66,VG 18.4 -64.6,VI 18.3 -64.9,VN 15.5 107.5,VU -16 167,WF -13.3 -176.2,WS -13.7 -172.2,XK 42.6 20.9,YE 15.7 47.5,
YT -12.8 45.2,ZA -29.5 24.5,ZM -14 27.5,ZW -19 29.7`;

const NORTH = 85;
const SOUTH = -55;
/** Degrees of latitude are drawn longer: shapes are about right in the middle latitudes. */
const STRETCH = 1.22;

export const WORLD_WIDTH = 360;
export const WORLD_HEIGHT = (NORTH - SOUTH) * STRETCH;

/** A place in the picture. */
export interface Place {
  x: number;
  y: number;
}

export function placeOf(north: number, east: number): Place {
  return { x: east + 180, y: (NORTH - north) * STRETCH };
}

const PLACES: ReadonlyMap<string, Place> = new Map(
  MIDDLES.split(",").map((one) => {
    const [code = "", north = "", east = ""] = one.trim().split(" ");
    return [code, placeOf(Number(north), Number(east))];
  }),
);

/** The middle of a country, about; null for one that is not known here. */
export function middleOf(code: string): Place | null {
  return PLACES.get(code.toUpperCase()) ?? null;
}

/** How many countries have a place. */
export const COUNTRIES_KNOWN = PLACES.size;

/** The wall: one path through all stones, with joints between them. */
export function wallPath(): string {
  const joint = 0.7;
  const height = 5 * STRETCH;
  const parts: string[] = [];
  for (const [course, [north, stretches]] of COURSES.entries()) {
    const y = (NORTH - north) * STRETCH;
    // Stones of every other course are set off by half a stone.
    const shift = course % 2 === 0 ? 0 : 2.5;
    for (const [from, to] of stretches) {
      let begin = from;
      while (begin < to) {
        const end = Math.min(to, Math.floor((begin - shift) / 5) * 5 + 5 + shift);
        if (end - begin > joint) {
          parts.push(
            `M${(begin + 180).toFixed(1)} ${y.toFixed(1)}h${(end - begin - joint).toFixed(1)}v${(height - joint).toFixed(1)}h${(begin - end + joint).toFixed(1)}z`,
          );
        }
        begin = end;
      }
    }
  }
  return parts.join("");
}

/** Marks for so many of each country: the area says how many; large ones first, so that small ones are seen. */
export function marksOf(counts: readonly { code: string; count: number }[]): (Place & { code: string; count: number; radius: number })[] {
  const most = Math.max(1, ...counts.map((one) => one.count));
  return counts
    .flatMap((one) => {
      const place = middleOf(one.code);
      return place === null ? [] : [{ ...place, ...one, radius: 2.2 + 7 * Math.sqrt(one.count / most) }];
    })
    .toSorted((a, b) => b.count - a.count);
}
