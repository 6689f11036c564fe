; test roundtrip
; test eval
; test plan target=x86-64-v4
; test check

// Samples between the elements of a map, some of them outside.
graph samples {
  %map = input : f32[2, 5, 7, 9]
  %rows = input : f32[2, 6]
  %columns = input : f32[2, 6]
  %wide = mul %rows, 1.5
  %y = grid_sample %map, %wide, %columns { align = corners }
  %z = grid_sample %map, %columns, %wide { align = centres }
  return %y, %z
}

; expect roundtrip
;   graph samples {
;     %map = input : f32[2, 5, 7, 9]
;     %rows = input : f32[2, 6]
;     %columns = input : f32[2, 6]
;     %3 = const { value = 1.5 } : f32[]
;     %wide = mul %rows, %3 : f32[2, 6]
;     %y = grid_sample %map, %wide, %columns { align = corners } : f32[2, 6, 9]
;     %z = grid_sample %map, %columns, %wide { align = centres } : f32[2, 6, 9]
;     return %y, %z
;   }

; expect eval
;   2244 flops
;   %y : f32[2, 6, 9] = -0.31396 0.22461 -0.48743 0.72278 -0.31830 0.72714 … norm 4.19434
;   %z : f32[2, 6, 9] = 0.06368 0.26384 0.05469 0.33329 0.41198 0.43852 … norm 3.32698

; expect plan target=x86-64-v4
;   plan samples {
;     %y = row [1, 108] reading %rows, %columns, %11, %map
;     %z = row [1, 108] reading %columns, %rows, %11, %map
;   }

; expect check
;   %y, %z within 1e-5 of the reference
