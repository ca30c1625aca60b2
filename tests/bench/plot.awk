# Lines of "SERIES X Y" (SERIES may have blanks) to an SVG: both axes logarithmic, each series against its first value.
{
	y = $NF; x = $(NF - 1); name = $0
	sub(/ [^ ]+ [^ ]+$/, "", name)
	if (!(name in count)) { order[++series] = name; first[name] = y > 0 ? y : 1; first_x[name] = x }
	n = ++count[name]
	px[name, n] = log(x / first_x[name]) / log(10)
	py[name, n] = log((y > 0 ? y : 0.001) / first[name]) / log(10)
	if (px[name, n] > most_x) most_x = px[name, n]
	if (py[name, n] > most_y) most_y = py[name, n]
	if (py[name, n] < least_y) least_y = py[name, n]
}
function at_x(v) { return 60 + v / width * 560 }
function at_y(v) { return 360 - (v - low) / (high - low) * 320 }
END {
	split("#1b6ca8 #c0392b #27864a #8e44ad #b9770e", colour, " ")
	width = int(most_x + 0.999); if (width < 1) width = 1
	low = -int(1 - least_y); high = int(most_y + 1)
	print "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"900\" height=\"400\" font-family=\"sans-serif\" font-size=\"12\">"
	print "<rect width=\"900\" height=\"400\" fill=\"white\"/>"
	for (v = 0; v <= width; v++) {
		printf "<line x1=\"%d\" y1=\"40\" x2=\"%d\" y2=\"360\" stroke=\"#ddd\"/>", at_x(v), at_x(v)
		printf "<text x=\"%d\" y=\"378\" text-anchor=\"middle\">%d times</text>\n", at_x(v), 10 ^ v
	}
	for (v = low; v <= high; v++) {
		printf "<line x1=\"60\" y1=\"%d\" x2=\"620\" y2=\"%d\" stroke=\"%s\"/>", at_y(v), at_y(v), v == 0 ? "#888" : "#ddd"
		printf "<text x=\"54\" y=\"%d\" text-anchor=\"end\">%g</text>\n", at_y(v) + 4, 10 ^ v
	}
	print "<text x=\"60\" y=\"22\">cost of one unit against the first, by how much more there is</text>"
	for (s = 1; s <= series; s++) {
		name = order[s]; points = ""
		for (n = 1; n <= count[name]; n++)
			points = points sprintf("%.1f,%.1f ", at_x(px[name, n]), at_y(py[name, n]))
		printf "<polyline fill=\"none\" stroke-width=\"2\" stroke=\"%s\" points=\"%s\"/>", colour[s], points
		printf "<text x=\"634\" y=\"%d\" fill=\"%s\">%s</text>\n", 50 + s * 20, colour[s], name
	}
	print "</svg>"
}
