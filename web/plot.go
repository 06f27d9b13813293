package web

// Plot is numbers in their order of time, as bars and as a table.
type Plot struct {
	Text string // the name of a text: what is counted, of which a bar is so many
	Bars []Bar
}

// Bar is a number of a span of time.
type Bar struct {
	Label string // when it began
	Value int
}

// The size of a drawing, in units of its own: browsers make it as wide as the page.
const (
	plotWidth  = 600
	plotHeight = 80
	leastBars  = 24 // there is room for, so that one bar alone is none that fills the drawing
)

// Drawn is a bar where it is drawn.
type Drawn struct {
	Bar
	X, Y, Width, Height float64
}

// Drawn are the bars, the highest as high as the drawing. One that is not 0 can be seen.
func (p Plot) Drawn() (all []Drawn) {
	step := float64(plotWidth) / float64(max(leastBars, len(p.Bars)))
	for i, bar := range p.Bars {
		height := 0.0
		if bar.Value > 0 {
			height = max(2, float64(bar.Value)/float64(p.Most())*plotHeight)
		}
		all = append(all, Drawn{bar, float64(i)*step + step/8, plotHeight - height, step * 3 / 4, height})
	}
	return all
}

// Most is the largest number.
func (p Plot) Most() (most int) {
	for _, bar := range p.Bars {
		most = max(most, bar.Value)
	}
	return most
}

// Sum is all of them.
func (p Plot) Sum() (sum int) {
	for _, bar := range p.Bars {
		sum += bar.Value
	}
	return sum
}

// First and Last are when the drawing begins, and when its last bar does.
func (p Plot) First() string { return p.at(0) }

// Last is when the last bar begins.
func (p Plot) Last() string { return p.at(len(p.Bars) - 1) }

func (p Plot) at(i int) string {
	if i < 0 || i >= len(p.Bars) {
		return ""
	}
	return p.Bars[i].Label
}
