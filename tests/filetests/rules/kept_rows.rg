; test optimize target=x86-64-v4
; test plan target=x86-64-v4
; test check

// Only the first token is read: the product computes no other.
graph kept_rows {
  %x = input : f32[2, 9, 8]
  %w = weight : f32[8, 12]
  %b = weight : f32[12]
  %p = matmul %x, %w
  %h = add %p, %b
  %g = gelu %h
  %y = slice %g { axis = 1, start = 0, stop = 1, step = 1 }
  return %y
}

; expect optimize target=x86-64-v4
;   ; %y: 13 e-nodes, 4 iterations, saturated; kept-rows-through-weights
;   graph kept_rows {
;     %x = input : f32[2, 9, 8]
;     %w = weight : f32[8, 12]
;     %b = weight : f32[12]
;     %3 = view %x { map = "[2, 1, 8] of 144: 72*i0 + i2" } : f32[2, 1, 8]
;     %4 = matmul %3, %w : f32[2, 1, 12]
;     %5 = view %b { map = "[2, 1, 12] of 12: i2" } : f32[2, 1, 12]
;     %6 = add %4, %5 : f32[2, 1, 12]
;     %y = gelu %6 : f32[2, 1, 12]
;     return %y
;   }

; expect plan target=x86-64-v4
;   plan kept_rows {
;     %y = matmul [1, 2, 8] by [8, 12], constant %w reading %x, %b
;   }

; expect check
;   %y within 1e-5 of the reference
