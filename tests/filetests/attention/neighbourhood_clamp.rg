; test roundtrip
; test check

// The window moves inside; relative terms alone.
graph neighbourhood_clamp {
  %q = input : f32[2, 8, 4, 5]
  %v = input : f32[2, 4, 4, 5]
  %row = weight : f32[5, 2]
  %column = weight : f32[5, 2]
  %y = neighbourhood_attention %q, %v, %row, %column { heads = 2, size = 3, scale = 1.0, border = clamp }
  return %y
}

; expect roundtrip
;   graph neighbourhood_clamp {
;     %q = input : f32[2, 8, 4, 5]
;     %v = input : f32[2, 4, 4, 5]
;     %row = weight : f32[5, 2]
;     %column = weight : f32[5, 2]
;     %y = neighbourhood_attention %q, %v, %row, %column { heads = 2, size = 3, scale = 1.0, border = clamp } : f32[2, 4, 4, 5]
;     return %y
;   }

; expect check
;   %y within 1e-5 of the reference
