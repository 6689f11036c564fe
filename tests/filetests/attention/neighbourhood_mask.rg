; test roundtrip
; test eval
; test check

// Pixels outside the map are not seen; no relative terms.
graph neighbourhood_mask {
  %x = input : f32[1, 2, 3, 3]
  %y = neighbourhood_attention %x, %x, %x { heads = 1, size = 5, scale = 0.5, border = mask }
  return %y
}

; expect roundtrip
;   graph neighbourhood_mask {
;     %x = input : f32[1, 2, 3, 3]
;     %y = neighbourhood_attention %x, %x, %x { heads = 1, size = 5, scale = 0.5, border = mask } : f32[1, 2, 3, 3]
;     return %y
;   }

; expect eval
;   3150 flops
;   %y : f32[1, 2, 3, 3] = 0.16132 0.20539 0.29640 0.20044 0.09817 0.31680 … norm 0.86671

; expect check
;   %y within 1e-5 of the reference
