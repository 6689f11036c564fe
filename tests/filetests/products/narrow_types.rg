; test roundtrip
; test plan target=x86-64-v4

// Products of bf16 accumulate in f32.
graph narrow_types {
  %x = input : bf16[4, 8]
  %w = weight : bf16[8, 8]
  %p = matmul %x, %w
  %y = cast %p { to = bf16 }
  return %y
}

; expect roundtrip
;   graph narrow_types {
;     %x = input : bf16[4, 8]
;     %w = weight : bf16[8, 8]
;     %p = matmul %x, %w : f32[4, 8]
;     %y = cast %p { to = bf16 } : bf16[4, 8]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan narrow_types {
;     %y = matmul [1, 4, 8] by [8, 8], constant %w reading %x
;   }
